using System.Globalization;
using Metrics.Model;
using Metrics.PromQL.TestScripts;
using Metrics.Rules.Files;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Metrics.Rules.UnitTests;

/// <summary>A file of unit tests for rules, as promtool defines it.</summary>
internal sealed record RuleTestFile(
    IReadOnlyList<string> RuleFiles, long EvaluationIntervalMs, IReadOnlyList<string> GroupOrder, bool FuzzyCompare, IReadOnlyList<RuleTestGroup> Tests);

/// <summary>Input series and what must come of them.</summary>
internal sealed record RuleTestGroup(
    string Name,
    long IntervalMs,
    IReadOnlyList<ScriptSeries> Input,
    IReadOnlyList<AlertCase> Alerts,
    IReadOnlyList<ExprCase> Expressions,
    Labels ExternalLabels,
    string ExternalUrl,
    long StartMs);

/// <summary>The alerts of one name that must fire at a time.</summary>
internal sealed record AlertCase(long EvalMs, string AlertName, IReadOnlyList<(Labels Labels, Labels Annotations)> Expected);

/// <summary>The samples that an expression must give at a time.</summary>
internal sealed record ExprCase(long EvalMs, string Expr, IReadOnlyList<(Labels Labels, double Value, string Histogram)> Expected, string? Mistake);

/// <summary>Reads unit test files.</summary>
internal sealed class RuleTestReader
{
    private readonly YamlText yaml = new();
    private readonly List<string> errors = [];

    /// <summary>Reads the text of a file; on errors the file is null.</summary>
    public static (RuleTestFile? File, IReadOnlyList<string> Errors) Read(string text)
    {
        try
        {
            var reader = new RuleTestReader();
            var root = YamlText.Load(text, out _);
            var file = root is null ? new RuleTestFile([], 60_000, [], false, []) : reader.ReadFile(root);
            if (reader.yaml.Errors.Count > 0)
            {
                return (null, [$"yaml: unmarshal errors:{string.Concat(reader.yaml.Errors.Select(e => "\n  " + e.Message))}"]);
            }

            return reader.errors.Count > 0 ? (null, reader.errors) : (file, []);
        }
        catch (YamlException e)
        {
            return (null, [$"yaml: line {e.Start.Line}: {e.Message}"]);
        }
    }

    private RuleTestFile ReadFile(YamlNode root)
    {
        var file = new RuleTestFile([], 0, [], false, []);
        IReadOnlyList<YamlNode> tests = [];
        foreach (var (key, value, _) in yaml.Fields(root, "main.unitTestFile", "rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare"))
        {
            switch (key)
            {
                case "rule_files": file = file with { RuleFiles = [.. yaml.Items(value, "[]string").Select(yaml.Text)] }; break;
                case "evaluation_interval": file = file with { EvaluationIntervalMs = yaml.DurationMs(value) }; break;
                case "group_eval_order": file = file with { GroupOrder = [.. yaml.Items(value, "[]string").Select(yaml.Text)] }; break;
                case "fuzzy_compare": file = file with { FuzzyCompare = yaml.Flag(value) }; break;
                case "tests": tests = yaml.Items(value, "[]main.testGroup"); break;
            }
        }

        if (file.GroupOrder.GroupBy(static g => g, StringComparer.Ordinal).FirstOrDefault(static g => g.Count() > 1) is { } repeated)
        {
            errors.Add($"group name repeated in evaluation order: {repeated.Key}");
        }

        var intervalMs = file.EvaluationIntervalMs == 0 ? 60_000 : file.EvaluationIntervalMs;
        return file with { EvaluationIntervalMs = intervalMs, Tests = [.. tests.Select(t => ReadTest(t, intervalMs))] };
    }

    private RuleTestGroup ReadTest(YamlNode node, long evaluationIntervalMs)
    {
        var test = new RuleTestGroup("", 0, [], [], [], Labels.Empty, "", 0);
        var series = new List<(string Series, string Values)>();
        foreach (var (key, value, _) in yaml.Fields(
            node, "main.testGroup", "interval", "input_series", "alert_rule_test", "promql_expr_test", "external_labels", "external_url", "name", "start_timestamp"))
        {
            switch (key)
            {
                case "interval": test = test with { IntervalMs = yaml.DurationMs(value) }; break;
                case "input_series": series.AddRange(yaml.Items(value, "[]main.series").Select(ReadSeries)); break;
                case "alert_rule_test": test = test with { Alerts = [.. yaml.Items(value, "[]main.alertTestCase").Select(ReadAlertCase)] }; break;
                case "promql_expr_test": test = test with { Expressions = [.. yaml.Items(value, "[]main.promqlTestCase").Select(ReadExprCase)] }; break;
                case "external_labels": test = test with { ExternalLabels = LabelsOf(yaml.Map(value)) }; break;
                case "external_url": test = test with { ExternalUrl = yaml.Text(value) }; break;
                case "name": test = test with { Name = yaml.Text(value) }; break;
                case "start_timestamp": test = test with { StartMs = ReadTime(value) }; break;
            }
        }

        return test with { IntervalMs = test.IntervalMs == 0 ? evaluationIntervalMs : test.IntervalMs, Input = Load(series) };
    }

    private (string Series, string Values) ReadSeries(YamlNode node)
    {
        string name = "", values = "";
        foreach (var (key, value, _) in yaml.Fields(node, "main.series", "series", "values"))
        {
            (name, values) = key == "series" ? (yaml.Text(value), values) : (name, yaml.Text(value));
        }

        return (name, values);
    }

    private AlertCase ReadAlertCase(YamlNode node)
    {
        long evalMs = 0;
        var name = "";
        IReadOnlyList<YamlNode> expected = [];
        foreach (var (key, value, _) in yaml.Fields(node, "main.alertTestCase", "eval_time", "alertname", "exp_alerts"))
        {
            switch (key)
            {
                case "eval_time": evalMs = yaml.DurationMs(value); break;
                case "alertname": name = yaml.Text(value); break;
                case "exp_alerts": expected = yaml.Items(value, "[]main.alert"); break;
            }
        }

        return new AlertCase(evalMs, name, [.. expected.Select(e => ReadAlert(e, name))]);
    }

    private (Labels Labels, Labels Annotations) ReadAlert(YamlNode node, string name)
    {
        var labels = Labels.Empty;
        var annotations = Labels.Empty;
        foreach (var (key, value, _) in yaml.Fields(node, "main.alert", "exp_labels", "exp_annotations"))
        {
            (labels, annotations) = key == "exp_labels" ? (LabelsOf(yaml.Map(value)), annotations) : (labels, LabelsOf(yaml.Map(value)));
        }

        // Tests give the labels without the one that every alert has.
        return (new LabelsBuilder().Reset(labels).Set("alertname", name).ToLabels(), annotations);
    }

    private ExprCase ReadExprCase(YamlNode node)
    {
        long evalMs = 0;
        var expr = "";
        string? mistake = null;
        var samples = new List<(Labels, double, string)>();
        foreach (var (key, value, _) in yaml.Fields(node, "main.promqlTestCase", "expr", "eval_time", "exp_samples"))
        {
            switch (key)
            {
                case "expr": expr = yaml.Text(value); break;
                case "eval_time": evalMs = yaml.DurationMs(value); break;
                case "exp_samples":
                    foreach (var item in yaml.Items(value, "[]main.sample"))
                    {
                        samples.Add(ReadSample(item, ref mistake));
                    }

                    break;
            }
        }

        return new ExprCase(evalMs, expr, samples, mistake);
    }

    private (Labels Labels, double Value, string Histogram) ReadSample(YamlNode node, ref string? mistake)
    {
        string labels = "", histogram = "";
        double number = 0;
        foreach (var (key, value, _) in yaml.Fields(node, "main.sample", "labels", "value", "histogram"))
        {
            switch (key)
            {
                case "labels": labels = yaml.Text(value); break;
                case "histogram": histogram = yaml.Text(value); break;
                case "value": number = ReadNumber(value); break;
            }
        }

        try
        {
            var line = ParseLine(labels.Trim().Length == 0 ? "{}" : labels, histogram.Length == 0 ? "0" : histogram);
            return (line.Labels, number, histogram.Length == 0 ? "" : line.Values[0].Histogram?.ToTestExpression() ?? throw new ScriptException(0, $"expected histogram, got {histogram}"));
        }
        catch (ScriptException e)
        {
            mistake ??= $"labels {LabelsText.Quote(labels)}: {e.Message}";
            return (Labels.Empty, 0, "");
        }
    }

    private double ReadNumber(YamlNode node)
    {
        var text = yaml.Text(node);
        switch (text.TrimStart('+', '-').TrimStart('.').ToLowerInvariant())
        {
            case "nan": return double.NaN;
            case "inf": return text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        }

        if (!double.TryParse(text.Replace("_", ""), NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && text.Length > 0)
        {
            yaml.Fail(node, $"cannot unmarshal !!str `{text}` into float64");
        }

        return value;
    }

    private long ReadTime(YamlNode node)
    {
        var text = yaml.Text(node);
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds))
        {
            return (long)Math.Round(seconds * 1000);
        }

        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
        {
            return time.ToUnixTimeMilliseconds();
        }

        yaml.Fail(node, $"cannot parse {LabelsText.Quote(text)} to a valid timestamp");
        return 0;
    }

    private List<ScriptSeries> Load(List<(string Series, string Values)> lines)
    {
        var read = new List<ScriptSeries>();
        foreach (var (series, values) in lines)
        {
            try
            {
                read.Add(ParseLine(series, values));
            }
            catch (ScriptException e)
            {
                errors.Add(e.Message);
            }
        }

        return read;
    }

    private static ScriptSeries ParseLine(string series, string values)
    {
        var load = (LoadCommand)ScriptParser.Parse($"load 1s\n  {OneLine(series)} {OneLine(values)}")[0];
        return load.Series is [var only] ? only : throw new ScriptException(1, $"want one series: {series}");
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Trim();

    private static Labels LabelsOf(IReadOnlyDictionary<string, string> map)
    {
        var labels = new LabelsBuilder();
        foreach (var (name, value) in map)
        {
            labels.Set(name, value);
        }

        return labels.ToLabels();
    }
}
