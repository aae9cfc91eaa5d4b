using Metrics.Model;
using Metrics.Rules.Files;
using Metrics.Rules.Groups;
using Metrics.Rules.Notifying;
using Metrics.Rules.Templates;

namespace Metrics.Rules.Alerting;

/// <summary>A rule whose results are alerts.</summary>
/// <remarks>Evaluations come one after the other; <see cref="Alerts"/> may be read at any time.</remarks>
public sealed class AlertingRule : Rule
{
    /// <summary>The series that tells which alerts are pending or firing.</summary>
    internal const string AlertsMetric = "ALERTS";

    /// <summary>The series whose value is since when an alert is active, Unix seconds.</summary>
    internal const string ForStateMetric = "ALERTS_FOR_STATE";

    private const string AlertName = "alertname";

    private readonly List<(string Name, Template Text)> labelTemplates = [];
    private readonly List<(string Name, Template Text)> annotationTemplates = [];
    private IReadOnlyDictionary<Labels, Alert> active = new Dictionary<Labels, Alert>();

    internal AlertingRule(RuleSpec spec, IReadOnlyDictionary<string, string> groupLabels)
        : base(spec, groupLabels)
    {
        foreach (var (name, text) in DeclaredLabels)
        {
            labelTemplates.Add((name, Template.OfAlert(spec.Alert, text)));
        }

        foreach (var (name, text) in spec.Annotations)
        {
            annotationTemplates.Add((name, Template.OfAlert(spec.Alert, text)));
        }
    }

    /// <summary>All alerts that are known: pending, firing, and for a quarter of an hour those that fired.</summary>
    public IReadOnlyCollection<Alert> Alerts => [.. Volatile.Read(ref active).Values];

    /// <summary>The pending and firing ones.</summary>
    public IEnumerable<Alert> ActiveAlerts => Alerts.Where(static a => a.ResolvedAtMs is null);

    /// <summary>The gravest state of its alerts.</summary>
    public AlertState State
    {
        get
        {
            if (LastEvaluation.EvaluatedAtMs is null)
            {
                return AlertState.Unknown;
            }

            var gravest = AlertState.Inactive;
            foreach (var alert in Alerts)
            {
                gravest = alert.State > gravest ? alert.State : gravest;
            }

            return gravest;
        }
    }

    /// <summary>True once older state has been restored, or there is none to restore: only then series are written, so that they do not overwrite it.</summary>
    internal bool IsRestored { get; set; }

    /// <summary>Takes over alerts from an earlier owner or version of the rule.</summary>
    internal void Continue(IEnumerable<Alert> alerts)
    {
        var taken = new Dictionary<Labels, Alert>();
        foreach (var alert in alerts)
        {
            taken[alert.Labels] = alert;
        }

        Volatile.Write(ref active, taken);
    }

    internal override async ValueTask<List<RuleWrite>> EvaluateAsync(RuleGroup group, long tickMs, CancellationToken cancellation)
    {
        var vector = await group.QueryAsync(QueryText, tickMs - group.QueryOffsetMs, cancellation);
        var seen = new Dictionary<Labels, Alert>(vector.Samples.Count);
        foreach (var sample in vector.Samples)
        {
            var alert = await AlertOfAsync(sample, group, tickMs, cancellation);
            if (!seen.TryAdd(alert.Labels, alert))
            {
                throw new RuleQueryException("vector contains metrics with the same labelset after applying alert labels");
            }
        }

        var next = Advance(seen, tickMs);
        var count = next.Values.Count(static a => a.State is AlertState.Pending or AlertState.Firing);
        if (group.Limit > 0 && count > group.Limit)
        {
            Volatile.Write(ref active, new Dictionary<Labels, Alert>());
            throw new RuleQueryException($"exceeded limit of {group.Limit} with {count} alerts");
        }

        var writes = IsRestored ? SeriesOf(next.Values, tickMs - group.QueryOffsetMs, count) : [];
        Notify(next, group, tickMs);
        Volatile.Write(ref active, next);
        return writes;
    }

    private Dictionary<Labels, Alert> Advance(Dictionary<Labels, Alert> seen, long tickMs)
    {
        var next = new Dictionary<Labels, Alert>(seen.Count);
        foreach (var (labels, known) in active)
        {
            var alert = seen.TryGetValue(labels, out var held)
                ? AlertTransition.Held(known, held, tickMs, Spec.ForMs)
                : AlertTransition.Missed(known, tickMs, Spec.ForMs, Spec.KeepFiringForMs);
            if (alert is not null)
            {
                next.Add(labels, alert);
            }
        }

        foreach (var (labels, held) in seen)
        {
            if (!active.ContainsKey(labels))
            {
                next.Add(labels, AlertTransition.Held(null, held, tickMs, Spec.ForMs));
            }
        }

        return next;
    }

    private async ValueTask<Alert> AlertOfAsync(RuleSample sample, RuleGroup group, long tickMs, CancellationToken cancellation)
    {
        var services = group.Services;
        var data = new AlertData(
            TemplateMap.Of(sample.Labels), TemplateMap.Of(services.Options.ExternalLabels), services.Options.ExternalUrl, (object?)sample.Histogram ?? sample.Value);
        // As in Prometheus, a template's queries look at the tick itself.
        var environment = new TemplateEnvironment((query, stop) => group.QueryAsync(query, tickMs, stop), tickMs, services.Options.ExternalUrl);
        var labels = new LabelsBuilder().Reset(sample.Labels).Remove(Labels.MetricName);
        foreach (var (name, text) in labelTemplates)
        {
            labels.Set(name, await ExpandAsync(text, data, environment, group, cancellation));
        }

        labels.Set(AlertName, Name);
        var annotations = new KeyValuePair<string, string>[annotationTemplates.Count];
        for (var i = 0; i < annotations.Length; i++)
        {
            annotations[i] = new(annotationTemplates[i].Name, await ExpandAsync(annotationTemplates[i].Text, data, environment, group, cancellation));
        }

        return new Alert { Labels = labels.ToLabels(), Annotations = annotations, Value = sample.Value, ActiveAtMs = tickMs };
    }

    private async ValueTask<string> ExpandAsync(Template text, AlertData data, TemplateEnvironment environment, RuleGroup group, CancellationToken cancellation)
    {
        try
        {
            return await text.ExpandAsync(data, environment, cancellation);
        }
        catch (TemplateException e)
        {
            group.Services.Observer?.OnTemplateFailed(group.Key, Name, e.Message);
            return $"<error expanding template: error executing template {text.Name}: {e.Message}>";
        }
    }

    private List<RuleWrite> SeriesOf(IEnumerable<Alert> alerts, long atMs, int count)
    {
        var writes = new List<RuleWrite>(count * 2);
        var builder = new LabelsBuilder();
        foreach (var alert in alerts)
        {
            if (alert.State is AlertState.Pending or AlertState.Firing)
            {
                builder.Reset(alert.Labels).Set(Labels.MetricName, ForStateMetric);
                var forState = builder.ToLabels();
                builder.Set(Labels.MetricName, AlertsMetric).Set("alertstate", alert.State == AlertState.Firing ? "firing" : "pending");
                writes.Add(new RuleWrite(builder.ToLabels(), atMs, 1));
                writes.Add(new RuleWrite(forState, atMs, Math.Floor(alert.ActiveAtMs / 1000.0)));
            }
        }

        return writes;
    }

    private void Notify(Dictionary<Labels, Alert> alerts, RuleGroup group, long tickMs)
    {
        var options = group.Services.Options;
        var due = new List<AlertNotification>();
        var validUntilMs = tickMs + (4 * Math.Max(group.IntervalMs, options.ResendDelayMs));
        foreach (var (labels, alert) in alerts.ToArray())
        {
            if (alert.NeedsSending(tickMs, options.ResendDelayMs))
            {
                alerts[labels] = alert with { LastSentAtMs = tickMs, ValidUntilMs = validUntilMs };
                due.Add(new AlertNotification(
                    alert.Labels, alert.Annotations, alert.FiredAtMs, alert.ResolvedAtMs ?? validUntilMs, options.ExternalUrl + Escapes.TableLink(QueryText)));
            }
        }

        if (due.Count > 0)
        {
            group.Services.Notifier.Send(due);
        }
    }
}
