using System.Globalization;
using System.Text.Json;
using Metrics.Rules.Alerting;
using Metrics.Rules.Groups;

namespace Metrics.Gateway.Rules;

/// <summary>Rules and alerts as Prometheus's API writes them.</summary>
internal static class RulesJson
{
    // Go's zero time.
    private const string Never = "0001-01-01T00:00:00Z";

    /// <summary>A group with some of its rules.</summary>
    public static void Write(Utf8JsonWriter json, RuleGroup group, IReadOnlyList<Rule> rules, bool withAlerts)
    {
        var last = group.LastEvaluation; // Before its rules: one that ends meanwhile is not shown with rules that were written before it.
        json.WriteStartObject();
        json.WriteString("name", group.Name);
        json.WriteString("file", group.File);
        json.WriteStartArray("rules");
        foreach (var rule in rules)
        {
            Write(json, rule, withAlerts);
        }

        json.WriteEndArray();
        json.WriteNumber("interval", group.IntervalMs / 1000.0);
        json.WriteNumber("limit", group.Limit);
        json.WriteNumber("evaluationTime", last?.Duration.TotalSeconds ?? 0);
        json.WriteString("lastEvaluation", Time(last?.StartedAtMs));
        json.WriteEndObject();
    }

    /// <summary>Alerts, into a list.</summary>
    public static void WriteEach(Utf8JsonWriter json, IEnumerable<Alert> alerts)
    {
        foreach (var alert in alerts)
        {
            json.WriteStartObject();
            Write(json, "labels", alert.Labels.AsEnumerable());
            Write(json, "annotations", alert.Annotations);
            json.WriteString("state", alert.State.ToString().ToLowerInvariant());
            json.WriteString("activeAt", Time(alert.ActiveAtMs));
            if (alert.KeepFiringSinceMs is { } since)
            {
                json.WriteString("keepFiringSince", Time(since));
            }

            json.WriteString("value", alert.ValueText);
            json.WriteEndObject();
        }
    }

    private static void Write(Utf8JsonWriter json, Rule rule, bool withAlerts)
    {
        var last = rule.LastEvaluation; // Before its alerts.
        json.WriteStartObject();
        if (rule is AlertingRule state)
        {
            json.WriteString("state", state.State.ToString().ToLowerInvariant());
        }

        json.WriteString("name", rule.Name);
        json.WriteString("query", rule.QueryText);
        if (rule is AlertingRule)
        {
            json.WriteNumber("duration", rule.Spec.ForMs / 1000.0);
            json.WriteNumber("keepFiringFor", rule.Spec.KeepFiringForMs / 1000.0);
        }

        Write(json, "labels", rule.Labels.AsEnumerable());
        if (rule is AlertingRule alerting)
        {
            Write(json, "annotations", rule.Spec.Annotations);
            json.WritePropertyName("alerts");
            if (withAlerts)
            {
                json.WriteStartArray();
                WriteEach(json, alerting.ActiveAlerts);
                json.WriteEndArray();
            }
            else
            {
                json.WriteNullValue();
            }
        }

        json.WriteString("health", last.Health switch { RuleHealth.Ok => "ok", RuleHealth.Error => "err", _ => "unknown" });
        if (last.LastError is not null)
        {
            json.WriteString("lastError", last.LastError);
        }

        json.WriteNumber("evaluationTime", last.Duration.TotalSeconds);
        json.WriteString("lastEvaluation", Time(last.EvaluatedAtMs));
        json.WriteString("type", rule is AlertingRule ? "alerting" : "recording");
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, IEnumerable<KeyValuePair<string, string>> pairs)
    {
        json.WriteStartObject(name);
        foreach (var (key, value) in pairs)
        {
            json.WriteString(key, value);
        }

        json.WriteEndObject();
    }

    private static string Time(long? timeMs) =>
        timeMs is { } time ? DateTimeOffset.FromUnixTimeMilliseconds(time).ToString("yyyy-MM-dd'T'HH:mm:ss.FFF'Z'", CultureInfo.InvariantCulture) : Never;
}
