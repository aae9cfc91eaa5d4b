using System.Text.Json;
using Metrics.Model;
using Metrics.Rules.Alerting;

namespace Metrics.Rules.Groups;

/// <summary>What a group knows besides its declaration: with it another owner goes on where this one stopped, without evaluating a tick twice or sending an alert anew.</summary>
/// <param name="LastTickMs">The last tick that was evaluated.</param>
/// <param name="EndedSeries">Series of rules that are gone, which are still to be marked as ended.</param>
/// <param name="Rules">One per rule, in order.</param>
public sealed record GroupState(long? LastTickMs, IReadOnlyList<Labels> EndedSeries, IReadOnlyList<RuleState> Rules)
{
    /// <summary>Who saved it.</summary>
    public RuleOwner Owner { get; init; } = new("", "");

    /// <summary>The tick that the owner will evaluate next, whatever happens: nobody else does. Null when it has let go of the group.</summary>
    public long? ClaimedTickMs { get; init; }

    /// <summary>A later tick than the last that another owner had claimed and may have evaluated, so that nobody else does; null for none.</summary>
    public long? TakenTickMs { get; init; }

    /// <summary>The version of the JSON; a later one that old code can't read has a higher number.</summary>
    private const int Version = 1;

    /// <summary>The same, with what was written and without what was alerted.</summary>
    public GroupState WithoutAlerts() => this with { Rules = [.. Rules.Select(static r => r with { Alerts = [] })] };

    /// <summary>Writes the state as UTF-8 JSON.</summary>
    public byte[] ToJson()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteNumber("version", Version);
            json.WriteString("owner", Owner.Name);
            json.WriteString("run", Owner.Run);
            WriteTime(json, "claimedTick", ClaimedTickMs);
            WriteTime(json, "takenTick", TakenTickMs);
            WriteTime(json, "lastTick", LastTickMs);
            WriteSeries(json, "ended", EndedSeries);
            json.WriteStartArray("rules");
            foreach (var rule in Rules)
            {
                rule.Write(json);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public static GroupState FromJson(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using var document = JsonDocument.Parse(utf8);
            var root = document.RootElement;
            if (root.GetProperty("version").GetInt32() is var version && version != Version)
            {
                throw new FormatException($"state of a rule group: version {version}, want {Version}");
            }

            return new GroupState(
                TimeOf(root, "lastTick"), SeriesOf(root, "ended"), [.. root.GetProperty("rules").EnumerateArray().Select(RuleState.Read)])
            {
                Owner = new RuleOwner(TextOf(root, "owner"), TextOf(root, "run")),
                ClaimedTickMs = TimeOf(root, "claimedTick"),
                TakenTickMs = TimeOf(root, "takenTick"),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or OverflowException)
        {
            throw new FormatException($"state of a rule group: {e.Message}", e);
        }
    }

    internal static void WriteTime(Utf8JsonWriter json, string name, long? timeMs)
    {
        if (timeMs is { } time)
        {
            json.WriteNumber(name, time);
        }
    }

    internal static void WriteSeries(Utf8JsonWriter json, string name, IReadOnlyCollection<Labels> series)
    {
        json.WriteStartArray(name);
        foreach (var labels in series)
        {
            WriteLabels(json, labels);
        }

        json.WriteEndArray();
    }

    internal static void WriteLabels(Utf8JsonWriter json, Labels labels)
    {
        json.WriteStartObject();
        foreach (var label in labels)
        {
            json.WriteString(label.Name, label.Value);
        }

        json.WriteEndObject();
    }

    internal static long? TimeOf(JsonElement json, string name) => json.TryGetProperty(name, out var time) ? time.GetInt64() : null;

    private static string TextOf(JsonElement json, string name) => json.TryGetProperty(name, out var text) ? text.GetString() ?? "" : "";

    internal static List<Labels> SeriesOf(JsonElement json, string name) => [.. json.GetProperty(name).EnumerateArray().Select(LabelsOf)];

    internal static Labels LabelsOf(JsonElement json)
    {
        var labels = new LabelsBuilder();
        foreach (var label in json.EnumerateObject())
        {
            labels.Set(label.Name, label.Value.GetString() ?? "");
        }

        return labels.ToLabels();
    }
}

/// <summary>What a rule knows besides its declaration.</summary>
/// <param name="Identity">By what the rule is known again: name and labels.</param>
/// <param name="PreviousSeries">The series it wrote at the last tick.</param>
/// <param name="Alerts">Its alerts.</param>
/// <param name="IsRestored">False while alerts may still be restored from their series.</param>
public sealed record RuleState(string Identity, IReadOnlyList<Labels> PreviousSeries, IReadOnlyList<Alert> Alerts, bool IsRestored)
{
    internal void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("rule", Identity);
        json.WriteBoolean("restored", IsRestored);
        GroupState.WriteSeries(json, "series", PreviousSeries);
        json.WriteStartArray("alerts");
        foreach (var alert in Alerts)
        {
            Write(json, alert);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    internal static RuleState Read(JsonElement json) => new(
        json.GetProperty("rule").GetString() ?? "",
        GroupState.SeriesOf(json, "series"),
        [.. json.GetProperty("alerts").EnumerateArray().Select(ReadAlert)],
        json.GetProperty("restored").GetBoolean());

    private static void Write(Utf8JsonWriter json, Alert alert)
    {
        json.WriteStartObject();
        json.WritePropertyName("labels");
        GroupState.WriteLabels(json, alert.Labels);
        json.WriteStartObject("annotations");
        foreach (var (name, value) in alert.Annotations)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WriteString("state", alert.State.ToString());
        // The bits, because JSON has neither NaN nor infinities.
        json.WriteNumber("value", BitConverter.DoubleToInt64Bits(alert.Value));
        json.WriteNumber("activeAt", alert.ActiveAtMs);
        json.WriteNumber("validUntil", alert.ValidUntilMs);
        GroupState.WriteTime(json, "firedAt", alert.FiredAtMs);
        GroupState.WriteTime(json, "resolvedAt", alert.ResolvedAtMs);
        GroupState.WriteTime(json, "lastSentAt", alert.LastSentAtMs);
        GroupState.WriteTime(json, "keepFiringSince", alert.KeepFiringSinceMs);
        json.WriteEndObject();
    }

    private static Alert ReadAlert(JsonElement json) => new()
    {
        Labels = GroupState.LabelsOf(json.GetProperty("labels")),
        Annotations = [.. json.GetProperty("annotations").EnumerateObject().Select(a => new KeyValuePair<string, string>(a.Name, a.Value.GetString() ?? ""))],
        State = Enum.TryParse<AlertState>(json.GetProperty("state").GetString(), out var state) ? state : throw new FormatException($"state of an alert: {json.GetProperty("state")}"),
        Value = BitConverter.Int64BitsToDouble(json.GetProperty("value").GetInt64()),
        ActiveAtMs = json.GetProperty("activeAt").GetInt64(),
        ValidUntilMs = json.GetProperty("validUntil").GetInt64(),
        FiredAtMs = GroupState.TimeOf(json, "firedAt"),
        ResolvedAtMs = GroupState.TimeOf(json, "resolvedAt"),
        LastSentAtMs = GroupState.TimeOf(json, "lastSentAt"),
        KeepFiringSinceMs = GroupState.TimeOf(json, "keepFiringSince"),
    };
}
