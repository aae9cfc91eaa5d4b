using System.Globalization;
using Metrics.Rules.Files;
using YamlDotNet.RepresentationModel;

namespace Metrics.Rules.Relabelling;

/// <summary>Reads relabelling rules from YAML as Prometheus writes them, and checks what each action requires.</summary>
internal static class RelabelReader
{
    /// <summary>Reads a list of rules; what is wrong goes to <paramref name="yaml"/>.</summary>
    public static IReadOnlyList<RelabelRule> Read(YamlText yaml, YamlNode node)
    {
        var rules = new List<RelabelRule>();
        foreach (var item in yaml.Items(node, "[]*relabel.Config"))
        {
            if (ReadRule(yaml, item) is { } rule)
            {
                rules.Add(rule);
            }
        }

        return rules;
    }

    private static RelabelRule? ReadRule(YamlText yaml, YamlNode node)
    {
        var action = RelabelAction.Replace;
        IReadOnlyList<string> sources = [];
        string regex = RelabelRule.DefaultRegex, separator = ";", target = "", replacement = "$1";
        ulong modulus = 0;
        var given = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (key, value, _) in yaml.Fields(node, "relabel.Config", "source_labels", "separator", "regex", "modulus", "target_label", "replacement", "action"))
        {
            given.Add(key);
            switch (key)
            {
                case "source_labels": sources = [.. yaml.Items(value, "model.LabelNames").Select(yaml.Text)]; break;
                case "separator": separator = yaml.Text(value); break;
                case "regex": regex = yaml.Text(value); break;
                case "target_label": target = yaml.Text(value); break;
                case "replacement": replacement = yaml.Text(value); break;
                case "modulus":
                    if (!ulong.TryParse(yaml.Text(value), NumberStyles.None, CultureInfo.InvariantCulture, out modulus))
                    {
                        yaml.Fail(value, $"cannot unmarshal `{yaml.Text(value)}` into uint64");
                    }

                    break;
                case "action":
                    var name = yaml.Text(value);
                    if (!Enum.TryParse(name, ignoreCase: true, out action) || !Enum.IsDefined(action) || char.IsAsciiDigit(name[0]))
                    {
                        yaml.Fail(value, $"unknown relabel action \"{name}\"");
                        return null;
                    }

                    break;
            }
        }

        if (Mistake(action, target, modulus, given) is { } mistake)
        {
            yaml.Fail(node, mistake);
            return null;
        }

        try
        {
            return new RelabelRule(action, sources, regex, separator, target, replacement, modulus);
        }
        catch (FormatException e)
        {
            yaml.Fail(node, e.Message);
            return null;
        }
    }

    private static string? Mistake(RelabelAction action, string target, ulong modulus, HashSet<string> given)
    {
        var name = action.ToString().ToLowerInvariant();
        switch (action)
        {
            case RelabelAction.HashMod when modulus == 0:
                return "relabel configuration for hashmod requires non-zero modulus";
            case RelabelAction.Replace or RelabelAction.HashMod or RelabelAction.Lowercase or RelabelAction.Uppercase or RelabelAction.KeepEqual or RelabelAction.DropEqual
                when target.Length == 0:
                return $"relabel configuration for {name} action requires 'target_label' value";
            case RelabelAction.Lowercase or RelabelAction.Uppercase when given.Contains("replacement"):
                return $"'replacement' can not be set for {name} action";
            case RelabelAction.KeepEqual or RelabelAction.DropEqual when given.Overlaps(["regex", "modulus", "separator", "replacement"]):
                return $"{name} action requires only 'source_labels' and `target_label`, and no other fields";
            case RelabelAction.LabelDrop or RelabelAction.LabelKeep when given.Overlaps(["source_labels", "target_label", "modulus", "separator", "replacement"]):
                return $"{name} action requires only 'regex', and no other fields";
            default:
                return null;
        }
    }
}
