using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.Rules.Templates;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Metrics.Rules.Files;

/// <summary>Reads rule files strictly: an unknown key, a doubled group or a template that does not parse is an error. Messages are promtool's.</summary>
/// <remarks>The format is Prometheus's (model/rulefmt); <c>partial_response_strategy</c> is Thanos's and <c>source_tenants</c> Mimir's addition.</remarks>
public sealed class RuleFileReader
{
    private const int MaxRules = 200_000;

    private readonly YamlText yaml = new();
    private readonly List<RuleFileError> errors = [];
    private readonly ParseOptions parsing;
    private int rules;

    private RuleFileReader(ParseOptions parsing) => this.parsing = parsing;

    /// <summary>Reads the text of a rule file.</summary>
    /// <param name="text">The YAML.</param>
    /// <param name="parsing">Which parts of PromQL are on.</param>
    public static RuleFileResult Read(string text, ParseOptions parsing) => Read(text, parsing, static (reader, root) => reader.ReadGroups(root));

    /// <summary>Reads the text of one group, as the ruler API takes it; the file of the answer holds that group alone.</summary>
    public static RuleFileResult ReadGroup(string text, ParseOptions parsing) =>
        Read(text, parsing, static (reader, root) => reader.ReadGroup(root, new HashSet<string>(StringComparer.Ordinal)) is { } group ? [group] : []);

    private static RuleFileResult Read(string text, ParseOptions parsing, Func<RuleFileReader, YamlNode, List<RuleGroupSpec>> read)
    {
        YamlNode? root;
        int documents;
        try
        {
            root = YamlText.Load(text, out documents);
        }
        catch (YamlException e)
        {
            return new RuleFileResult(null, [new RuleFileError($"yaml: line {e.Start.Line}: {Reason(e)}", (int)e.Start.Line)], []);
        }

        var reader = new RuleFileReader(parsing);
        var groups = root is null ? [] : read(reader, root);
        IReadOnlyList<string> warnings = documents > 1 ? ["Multiple document yaml rules files are not supported, only the first document is processed"] : [];
        if (reader.yaml.Errors.Count > 0)
        {
            var all = string.Join("", reader.yaml.Errors.Select(e => "\n  " + e.Message));
            return new RuleFileResult(null, [new RuleFileError("yaml: unmarshal errors:" + all, reader.yaml.Errors[0].Line)], warnings);
        }

        return reader.errors.Count > 0 ? new RuleFileResult(null, reader.errors, warnings) : new RuleFileResult(new RuleFile(groups), [], warnings);
    }

    private static string Reason(YamlException e) => e.InnerException?.Message ?? e.Message;

    private List<RuleGroupSpec> ReadGroups(YamlNode root)
    {
        var groups = new List<RuleGroupSpec>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (_, value, _) in yaml.Fields(root, "rulefmt.RuleGroups", "groups"))
        {
            foreach (var item in yaml.Items(value, "[]rulefmt.RuleGroup"))
            {
                if (ReadGroup(item, names) is { } group)
                {
                    groups.Add(group);
                }
            }
        }

        return groups;
    }

    private RuleGroupSpec? ReadGroup(YamlNode node, HashSet<string> names)
    {
        var group = new RuleGroupSpec { Name = "" };
        IReadOnlyList<YamlNode> ruleNodes = [];
        foreach (var (key, value, _) in yaml.Fields(
            node, "rulefmt.RuleGroup", "name", "interval", "query_offset", "limit", "rules", "labels", "partial_response_strategy", "source_tenants"))
        {
            switch (key)
            {
                case "name": group = group with { Name = yaml.Text(value) }; break;
                case "interval": group = group with { IntervalMs = yaml.DurationMs(value) }; break;
                case "query_offset": group = group with { QueryOffsetMs = YamlText.IsNull(value) ? null : yaml.DurationMs(value) }; break;
                case "limit": group = group with { Limit = yaml.Whole(value) }; break;
                case "labels": group = group with { Labels = yaml.Map(value) }; break;
                case "partial_response_strategy": group = group with { PartialResponseStrategy = Strategy(value) }; break;
                case "source_tenants": group = group with { SourceTenants = [.. yaml.Items(value, "[]string").Select(yaml.Text)] }; break;
                case "rules": ruleNodes = yaml.Items(value, "[]rulefmt.Rule"); break;
            }
        }

        var place = $"{node.Start.Line}:{node.Start.Column}";
        if (group.Name.Length == 0)
        {
            Fail(node, $"{place}: Groupname must not be empty");
        }
        else if (!names.Add(group.Name))
        {
            Fail(node, $"{place}: groupname: \"{group.Name}\" is repeated in the same file");
        }

        foreach (var (name, value) in group.Labels)
        {
            CheckLabel(name, value, message => Fail(node, message));
        }

        var read = new List<RuleSpec>();
        foreach (var ruleNode in ruleNodes)
        {
            if (++rules > MaxRules)
            {
                Fail(ruleNode, $"more than {MaxRules} rules");
                break;
            }

            if (ReadRule(ruleNode, group.Name, read.Count + 1) is { } rule)
            {
                read.Add(rule);
            }
        }

        return group with { Rules = read };
    }

    private string? Strategy(YamlNode node)
    {
        var text = yaml.Text(node).ToLowerInvariant();
        if (text is not ("" or "abort" or "warn"))
        {
            yaml.Fail(node, $"invalid partial_response_strategy: \"{text}\"; allowed are abort and warn");
        }

        return text.Length == 0 ? null : text;
    }

    private RuleSpec? ReadRule(YamlNode node, string group, int number)
    {
        string record = "", alert = "", expr = "";
        long forMs = 0, keepMs = 0;
        var labels = RuleGroupSpec.NoLabels;
        var annotations = RuleGroupSpec.NoLabels;
        YamlNode? recordNode = null, alertNode = null, exprNode = null;
        foreach (var (key, value, _) in yaml.Fields(node, "rulefmt.Rule", "record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"))
        {
            switch (key)
            {
                case "record": (record, recordNode) = (yaml.Text(value), value); break;
                case "alert": (alert, alertNode) = (yaml.Text(value), value); break;
                case "expr": (expr, exprNode) = (yaml.Text(value), value); break;
                case "for": forMs = yaml.DurationMs(value); break;
                case "keep_firing_for": keepMs = yaml.DurationMs(value); break;
                case "labels": labels = yaml.Map(value); break;
                case "annotations": annotations = yaml.Map(value); break;
            }
        }

        var name = alert.Length > 0 ? alert : record;
        void Bad(YamlNode? at, string message) =>
            Fail(at ?? node, $"{(at is null ? "" : $"{at.Start.Line}:{at.Start.Column}: ")}group \"{group}\", rule {number}, \"{name}\": {message}");

        if (record.Length > 0 && alert.Length > 0)
        {
            Bad(recordNode, "only one of 'record' and 'alert' must be set");
        }
        else if (name.Length == 0)
        {
            Bad(recordNode ?? alertNode ?? node, "one of 'record' or 'alert' must be set");
        }

        var expression = ParseExpression(expr, exprNode ?? node, Bad);
        if (record.Length > 0)
        {
            CheckRecording(record, recordNode, annotations.Count > 0, forMs != 0, keepMs != 0, Bad);
        }

        foreach (var (key, value) in labels)
        {
            CheckLabel(key, value, message => Bad(null, message));
        }

        foreach (var key in annotations.Keys.Where(k => !IsLabelName(k)))
        {
            Bad(null, $"invalid annotation name: {key}");
        }

        if (alert.Length > 0)
        {
            CheckTemplates(alert, labels, annotations, Bad);
        }

        return expression is null ? null : new RuleSpec
        {
            Record = record,
            Alert = alert,
            Expr = expr,
            Expression = expression,
            ForMs = forMs,
            KeepFiringForMs = keepMs,
            Labels = labels,
            Annotations = annotations,
        };
    }

    private Expr? ParseExpression(string expr, YamlNode at, Action<YamlNode?, string> bad)
    {
        if (expr.Length == 0)
        {
            bad(at, "field 'expr' must be set in rule");
            return null;
        }

        try
        {
            return PromQLParser.Parse(expr, parsing);
        }
        catch (PromQLParseException e)
        {
            bad(at, $"could not parse expression: {e.Message}");
            return null;
        }
    }

    private static void CheckRecording(string record, YamlNode? at, bool hasAnnotations, bool hasFor, bool hasKeepFiringFor, Action<YamlNode?, string> bad)
    {
        if (hasAnnotations)
        {
            bad(at, "invalid field 'annotations' in recording rule");
        }

        if (hasFor)
        {
            bad(at, "invalid field 'for' in recording rule");
        }

        if (hasKeepFiringFor)
        {
            bad(at, "invalid field 'keep_firing_for' in recording rule");
        }

        if (record.AsSpan().ContainsAny('{', '}'))
        {
            bad(at, $"braces present in the recording rule name; should it be in expr?: {record}");
        }
    }

    private static void CheckLabel(string name, string value, Action<string> bad)
    {
        if (!IsLabelName(name) || name == Labels.MetricName)
        {
            bad($"invalid label name: {name}");
        }

        if (!IsText(value))
        {
            bad($"invalid label value: {value}");
        }
    }

    private static void CheckTemplates(string alert, IReadOnlyDictionary<string, string> labels, IReadOnlyDictionary<string, string> annotations, Action<YamlNode?, string> bad)
    {
        foreach (var (kind, texts) in new[] { ("label", labels), ("annotation", annotations) })
        {
            foreach (var (key, text) in texts)
            {
                try
                {
                    Template.OfAlert(alert, text);
                }
                catch (TemplateException e)
                {
                    bad(null, $"{kind} {LabelsText.Quote(key)}: {e.Message}");
                }
            }
        }
    }

    private static bool IsLabelName(string name) => name.Length > 0 && IsText(name);

    private static bool IsText(string text)
    {
        for (var at = 0; at < text.Length;)
        {
            if (System.Text.Rune.DecodeFromUtf16(text.AsSpan(at), out _, out var width) != System.Buffers.OperationStatus.Done)
            {
                return false;
            }

            at += width;
        }

        return true;
    }

    private void Fail(YamlNode at, string message) => errors.Add(new RuleFileError(message, YamlText.LineOf(at)));
}
