using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace Metrics.Gateway.Telemetry;

/// <summary>Writes metrics as an array of <c>io.prometheus.client.MetricFamily</c> messages in protobuf's JSON mapping; histograms as classic ones, and no family without a sample.</summary>
internal sealed class SelfMetricsJson : SampleSink
{
    private readonly Utf8JsonWriter json;
    private MetricFamily family = null!;
    private bool isOpen;

    private SelfMetricsJson(Utf8JsonWriter json) => this.json = json;

    /// <summary>Writes the families whose names are wanted.</summary>
    public static void Write(IBufferWriter<byte> to, MetricRegistry registry, Func<string, bool> isWanted)
    {
        using var array = new Utf8JsonWriter(to);
        array.WriteStartArray();
        registry.Write(new SelfMetricsJson(array), isWanted);
        array.WriteEndArray();
    }

    /// <inheritdoc/>
    public override void Begin(MetricFamily family)
    {
        this.family = family;
        isOpen = false;
    }

    /// <inheritdoc/>
    public override void Put(string suffix, ReadOnlySpan<(string Name, string Value)> labels, double value)
    {
        BeginMetric(labels);
        json.WriteStartObject(family.Type);
        Number("value", value);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public override void Put((string Name, string Value) label, HistogramSnapshot histogram)
    {
        BeginMetric([label]);
        json.WriteStartObject("histogram");
        json.WriteString("sampleCount", histogram.Counts.Sum().ToString(CultureInfo.InvariantCulture));
        Number("sampleSum", histogram.Sum);
        json.WriteStartArray("bucket");
        var total = 0L;
        for (var i = 0; i < histogram.Counts.Length; i++)
        {
            total += histogram.Counts[i];
            json.WriteStartObject();
            json.WriteString("cumulativeCount", total.ToString(CultureInfo.InvariantCulture));
            Number("upperBound", i < histogram.Bounds.Length ? histogram.Bounds[i] : double.PositiveInfinity);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public override void End()
    {
        if (isOpen)
        {
            json.WriteEndArray();
            json.WriteEndObject();
        }
    }

    private void BeginMetric(ReadOnlySpan<(string Name, string Value)> labels)
    {
        if (!isOpen)
        {
            isOpen = true;
            json.WriteStartObject();
            json.WriteString("name", family.Name);
            json.WriteString("help", family.Help);
            json.WriteString("type", family.Type.ToUpperInvariant());
            json.WriteStartArray("metric");
        }

        json.WriteStartObject();
        if (labels.Length == 0)
        {
            return;
        }

        json.WriteStartArray("label");
        foreach (var (name, value) in labels)
        {
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteString("value", value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>A number; what JSON has none for is text, as in protobuf's mapping.</summary>
    private void Number(string field, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumber(field, value);
        }
        else
        {
            json.WriteString(field, double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        }
    }
}
