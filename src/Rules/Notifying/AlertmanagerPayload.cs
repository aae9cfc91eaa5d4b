using System.Globalization;
using System.Text.Json;

namespace Metrics.Rules.Notifying;

/// <summary>Writes the body of <c>POST /api/v2/alerts</c>.</summary>
internal static class AlertmanagerPayload
{
    // What Go writes for a time that is not set.
    private const string NoTime = "0001-01-01T00:00:00.000Z";

    /// <summary>A JSON array of alerts, UTF-8.</summary>
    public static byte[] Write(IReadOnlyList<AlertNotification> alerts)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartArray();
            foreach (var alert in alerts)
            {
                Write(json, alert);
            }

            json.WriteEndArray();
        }

        return stream.ToArray();
    }

    private static void Write(Utf8JsonWriter json, AlertNotification alert)
    {
        json.WriteStartObject();
        json.WriteStartObject("annotations");
        foreach (var (name, value) in alert.Annotations)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WriteString("endsAt", Time(alert.EndsAtMs));
        json.WriteString("startsAt", Time(alert.StartsAtMs));
        json.WriteString("generatorURL", alert.GeneratorUrl);
        json.WriteStartObject("labels");
        foreach (var label in alert.Labels)
        {
            json.WriteString(label.Name, label.Value);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static string Time(long? timeMs) =>
        timeMs is { } time ? DateTimeOffset.FromUnixTimeMilliseconds(time).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture) : NoTime;
}
