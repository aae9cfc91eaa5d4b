using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Metrics.Model;

namespace Metrics.Rules.Relabelling;

/// <summary>What a relabelling rule does.</summary>
public enum RelabelAction
{
    /// <summary>Sets a label from the matched value.</summary>
    Replace,

    /// <summary>Drops what does not match.</summary>
    Keep,

    /// <summary>Drops what matches.</summary>
    Drop,

    /// <summary>Drops where value and target label differ.</summary>
    KeepEqual,

    /// <summary>Drops where value and target label are equal.</summary>
    DropEqual,

    /// <summary>Sets a label to the value's hash modulo a number.</summary>
    HashMod,

    /// <summary>Copies labels whose names match to other names.</summary>
    LabelMap,

    /// <summary>Removes labels whose names match.</summary>
    LabelDrop,

    /// <summary>Removes labels whose names do not match.</summary>
    LabelKeep,

    /// <summary>Sets a label to the value in lower case.</summary>
    Lowercase,

    /// <summary>Sets a label to the value in upper case.</summary>
    Uppercase,
}

/// <summary>One rule that changes labels or drops what carries them.</summary>
/// <remarks>prometheus/prometheus model/relabel. Immutable and thread-safe.</remarks>
public sealed class RelabelRule
{
    /// <summary>The pattern when none is given.</summary>
    internal const string DefaultRegex = "(.*)";

    private readonly CapturePattern pattern;

    /// <summary>Makes a rule; what it requires is checked by <see cref="RelabelReader"/>.</summary>
    /// <exception cref="FormatException">The pattern is none.</exception>
    public RelabelRule(RelabelAction action, IReadOnlyList<string> sourceLabels, string regex, string separator, string targetLabel, string replacement, ulong modulus)
    {
        Action = action;
        SourceLabels = sourceLabels;
        Regex = regex;
        Separator = separator;
        TargetLabel = targetLabel;
        Replacement = replacement;
        Modulus = modulus;
        pattern = CapturePattern.Compile(regex);
    }

    /// <summary>What it does.</summary>
    public RelabelAction Action { get; }

    /// <summary>The labels whose values are joined.</summary>
    public IReadOnlyList<string> SourceLabels { get; }

    /// <summary>What the joined value, or a label's name, must match as a whole.</summary>
    public string Regex { get; }

    /// <summary>What stands between the joined values.</summary>
    public string Separator { get; }

    /// <summary>The label that is set.</summary>
    public string TargetLabel { get; }

    /// <summary>The new value, or name, with references to groups.</summary>
    public string Replacement { get; }

    /// <summary>The divisor of <see cref="RelabelAction.HashMod"/>.</summary>
    public ulong Modulus { get; }

    /// <summary>Applies rules in order; false when one drops.</summary>
    public static bool Apply(IReadOnlyList<RelabelRule> rules, LabelsBuilder labels)
    {
        foreach (var rule in rules)
        {
            if (!rule.Apply(labels))
            {
                return false;
            }
        }

        return true;
    }

    private bool Apply(LabelsBuilder labels)
    {
        var value = string.Join(Separator, SourceLabels.Select(l => Get(labels, l)));
        switch (Action)
        {
            case RelabelAction.Drop: return !pattern.IsMatch(value);
            case RelabelAction.Keep: return pattern.IsMatch(value);
            case RelabelAction.DropEqual: return Get(labels, TargetLabel) != value;
            case RelabelAction.KeepEqual: return Get(labels, TargetLabel) == value;
            case RelabelAction.Replace: Replace(labels, value); break;
            case RelabelAction.Lowercase: labels.Set(TargetLabel, value.ToLowerInvariant()); break;
            case RelabelAction.Uppercase: labels.Set(TargetLabel, value.ToUpperInvariant()); break;
            case RelabelAction.HashMod: labels.Set(TargetLabel, HashMod(value).ToString()); break;
            case RelabelAction.LabelMap:
                foreach (var (name, text) in labels.ToLabels().AsEnumerable())
                {
                    if (pattern.Expand(name, Replacement) is { Length: > 0 } mapped)
                    {
                        labels.Set(mapped, text);
                    }
                }

                break;
            case RelabelAction.LabelDrop or RelabelAction.LabelKeep:
                foreach (var (name, _) in labels.ToLabels().AsEnumerable())
                {
                    if (pattern.IsMatch(name) == (Action == RelabelAction.LabelDrop))
                    {
                        labels.Remove(name);
                    }
                }

                break;
        }

        return true;
    }

    private void Replace(LabelsBuilder labels, string value)
    {
        if (pattern.Expand(value, TargetLabel) is { Length: > 0 } target)
        {
            labels.Set(target, pattern.Expand(value, Replacement)!);
        }
    }

    // The hash is what makes equal configurations shard alike everywhere; it protects nothing.
#pragma warning disable CA5351
    private ulong HashMod(string value) => BinaryPrimitives.ReadUInt64BigEndian(MD5.HashData(Encoding.UTF8.GetBytes(value)).AsSpan(8)) % Modulus;
#pragma warning restore CA5351

    private static string Get(LabelsBuilder labels, string name) => Encoding.UTF8.GetString(labels.Get(Encoding.UTF8.GetBytes(name)));
}
