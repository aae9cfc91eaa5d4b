using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Metrics.Rules.Alerting;
using Metrics.Rules.Groups;

namespace Metrics.Gateway.Rules;

/// <summary>A group as the API shows it, of this process or of another.</summary>
/// <param name="File">The file or namespace it stands in.</param>
/// <param name="Name">Its name.</param>
/// <param name="EvaluatedAt">When it was last evaluated; null for not yet.</param>
internal abstract record ShownGroup(string File, string Name, DateTimeOffset? EvaluatedAt)
{
    /// <summary>By what the next page is asked for.</summary>
    public string Token => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(RuleGroup.KeyOf(File, Name))));

    /// <summary>A group that is evaluated here.</summary>
    public static ShownGroup Of(RuleGroup group, IReadOnlyList<Rule> rules, bool withAlerts) => new Local(group, rules, withAlerts);

    /// <summary>A group as another process wrote it.</summary>
    /// <exception cref="InvalidDataException">It wrote something else.</exception>
    public static ShownGroup Of(JsonElement written)
    {
        try
        {
            var at = written.GetProperty("lastEvaluation").GetDateTimeOffset();
            return new Remote(written.GetProperty("file").GetString() ?? "", written.GetProperty("name").GetString() ?? "", at.Year > 1 ? at : null, written);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"a rule group of another process: {e.Message}", e);
        }
    }

    /// <summary>Writes the group.</summary>
    public abstract void Write(Utf8JsonWriter json);

    /// <summary>Writes its pending and firing alerts, into a list.</summary>
    public abstract void WriteAlerts(Utf8JsonWriter json);

    private sealed record Local(RuleGroup Group, IReadOnlyList<Rule> Rules, bool WithAlerts)
        : ShownGroup(Group.File, Group.Name, Group.LastEvaluation is { } last ? DateTimeOffset.FromUnixTimeMilliseconds(last.StartedAtMs) : null)
    {
        public override void Write(Utf8JsonWriter json) => RulesJson.Write(json, Group, Rules, WithAlerts);

        public override void WriteAlerts(Utf8JsonWriter json)
        {
            foreach (var rule in Rules.OfType<AlertingRule>())
            {
                RulesJson.WriteEach(json, rule.ActiveAlerts);
            }
        }
    }

    private sealed record Remote(string File, string Name, DateTimeOffset? EvaluatedAt, JsonElement Written) : ShownGroup(File, Name, EvaluatedAt)
    {
        public override void Write(Utf8JsonWriter json) => Written.WriteTo(json);

        public override void WriteAlerts(Utf8JsonWriter json)
        {
            foreach (var rule in Written.GetProperty("rules").EnumerateArray())
            {
                if (rule.TryGetProperty("alerts", out var alerts) && alerts.ValueKind == JsonValueKind.Array)
                {
                    foreach (var alert in alerts.EnumerateArray())
                    {
                        alert.WriteTo(json);
                    }
                }
            }
        }
    }
}
