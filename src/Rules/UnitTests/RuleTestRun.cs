using System.Text;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;
using Metrics.Rules.Alerting;
using Metrics.Rules.Groups;
using Metrics.Rules.Notifying;

namespace Metrics.Rules.UnitTests;

/// <summary>One test of a file.</summary>
internal sealed class RuleTestRun
{
    private readonly RuleTestFile file;
    private readonly RuleTestGroup test;
    private readonly RuleTestStorage storage;
    private readonly EngineRuleQuery query;
    private readonly List<RuleGroup> groups;
    private readonly List<string> failures = [];

    public RuleTestRun(RuleTestFile file, RuleTestGroup test, IReadOnlyList<PlacedGroup> placed, ParseOptions parsing)
    {
        this.file = file;
        this.test = test;
        storage = new RuleTestStorage(test.Input, test.IntervalMs, test.StartMs);
        var options = new EngineOptions { Parsing = parsing, DefaultSubqueryStepMs = file.EvaluationIntervalMs };
        IReadOnlyList<IQueryLeaf> leaves = [new LocalLeaf(storage, options)];
        query = new EngineRuleQuery(new QueryEngine(options), _ => new(leaves));
        var services = new RuleServices(query, storage, new Nobody(), TimeProvider.System, new RuleOptions
        {
            DefaultIntervalMs = test.IntervalMs,
            ExternalLabels = test.ExternalLabels,
            ExternalUrl = test.ExternalUrl,
        });
        groups = [.. placed.Select(p => new RuleGroup(p.File, p.Spec, services))];
    }

    public async Task<IReadOnlyList<string>> RunAsync(CancellationToken cancellation)
    {
        foreach (var alertCase in test.Alerts)
        {
            if (alertCase.AlertName.Length == 0)
            {
                var where = test.Name.Length == 0 ? "" : $" (in TestGroup {test.Name})";
                return [$"an item under alert_rule_test misses required attribute alertname at eval_time {PromDuration.Format(alertCase.EvalMs)}{where}"];
            }
        }

        var lastMs = test.Alerts.Select(static a => a.EvalMs).Concat(test.Expressions.Select(static e => e.EvalMs)).DefaultIfEmpty(0).Max();
        for (long atMs = 0; atMs <= lastMs; atMs += file.EvaluationIntervalMs)
        {
            if (!await EvaluateAsync(test.StartMs + atMs, cancellation))
            {
                return failures;
            }

            foreach (var alertCase in test.Alerts.Where(a => a.EvalMs >= atMs && a.EvalMs < atMs + file.EvaluationIntervalMs))
            {
                Check(alertCase);
            }
        }

        storage.AdvanceTo(test.StartMs + lastMs);
        foreach (var exprCase in test.Expressions)
        {
            await CheckAsync(exprCase, cancellation);
        }

        return failures;
    }

    private async Task<bool> EvaluateAsync(long tickMs, CancellationToken cancellation)
    {
        storage.AdvanceTo(tickMs);
        var before = failures.Count;
        foreach (var group in groups)
        {
            await group.EvaluateAsync(tickMs, cancellation);
            foreach (var rule in group.Rules)
            {
                if (rule.LastEvaluation.LastError is { } error)
                {
                    failures.Add($"    rule: {rule.Name}, time: {PromDuration.Format(tickMs)}, err: {error}");
                }
            }
        }

        return failures.Count == before;
    }

    private void Check(AlertCase alertCase)
    {
        var got = groups.SelectMany(static g => g.Rules).OfType<AlertingRule>().Where(r => r.Name == alertCase.AlertName)
            .SelectMany(static r => r.ActiveAlerts).Where(static a => a.State == AlertState.Firing)
            .Select(static a => (a.Labels, Annotations: Labels.Of([.. a.Annotations.Select(static n => (n.Key, n.Value))])))
            .OrderBy(static a => a.Labels).ThenBy(static a => a.Annotations).ToList();
        var want = alertCase.Expected.OrderBy(static a => a.Labels).ThenBy(static a => a.Annotations).ToList();
        if (!got.SequenceEqual(want))
        {
            var name = test.Name.Length == 0 ? "" : $"    name: {test.Name},\n";
            failures.Add($"{name}    alertname: {alertCase.AlertName}, time: {PromDuration.Format(alertCase.EvalMs)}, \n        exp:{Show(want)}, \n        got:{Show(got)}");
        }
    }

    private async Task CheckAsync(ExprCase exprCase, CancellationToken cancellation)
    {
        var place = $"    expr: {LabelsText.Quote(exprCase.Expr)}, time: {PromDuration.Format(exprCase.EvalMs)}";
        if (exprCase.Mistake is not null)
        {
            failures.Add($"{place}, err: {exprCase.Mistake}");
            return;
        }

        RuleVector vector;
        try
        {
            vector = await query.EvaluateAsync(exprCase.Expr, test.StartMs + exprCase.EvalMs, cancellation);
        }
        catch (Exception e) when (e is QueryException or PromQLParseException or RuleQueryException)
        {
            failures.Add($"{place}, err: {e.Message}");
            return;
        }

        var got = vector.Samples.Select(static s => (s.Labels, s.Value, Histogram: s.Histogram?.ToTestExpression() ?? "")).OrderBy(static s => s.Labels).ToList();
        var want = exprCase.Expected.OrderBy(static s => s.Labels).ToList();
        if (got.Count != want.Count || got.Zip(want).Any(p => !IsSame(p.First, p.Second)))
        {
            failures.Add($"{place},\n        exp: {Show(want)}\n        got: {Show(got)}");
        }
    }

    private bool IsSame((Labels Labels, double Value, string Histogram) got, (Labels Labels, double Value, string Histogram) want) =>
        got.Labels.Equals(want.Labels) && got.Histogram == want.Histogram
        && (want.Histogram.Length > 0 || got.Value == want.Value
            || (file.FuzzyCompare && (Math.BitIncrement(got.Value) == want.Value || Math.BitDecrement(got.Value) == want.Value)));

    private static string Show(IReadOnlyList<(Labels Labels, double Value, string Histogram)> samples) => samples.Count == 0
        ? "nil"
        : string.Join(", ", samples.Select(static s => $"{Braced(s.Labels)} {(s.Histogram.Length > 0 ? s.Histogram : Templates.GoFloatText.Format(s.Value, 'E', -1))}"));

    private static string Show(IReadOnlyList<(Labels Labels, Labels Annotations)> alerts)
    {
        if (alerts.Count == 0)
        {
            return "[]";
        }

        var text = new StringBuilder("[");
        for (var i = 0; i < alerts.Count; i++)
        {
            text.Append(i > 0 ? "," : "").Append($"\n                {i}:\n                  Labels:{Braced(alerts[i].Labels)}\n                  Annotations:{Braced(alerts[i].Annotations)}");
        }

        return text.Append("\n            ]").ToString();
    }

    /// <summary>All labels in braces, the metric's name among them.</summary>
    private static string Braced(Labels labels) =>
        $"{{{string.Join(", ", labels.AsEnumerable().Select(static l => $"{(LabelsText.IsClassicLabelName(l.Key) ? l.Key : LabelsText.Quote(l.Key))}={LabelsText.Quote(l.Value)}"))}}}";

    private sealed class Nobody : INotifier
    {
        public void Send(IReadOnlyList<AlertNotification> alerts)
        {
            // Unit tests look at the alerts themselves.
        }
    }
}
