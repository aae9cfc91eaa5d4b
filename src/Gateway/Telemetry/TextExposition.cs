using System.Buffers;
using System.Globalization;
using System.Text;

namespace Metrics.Gateway.Telemetry;

/// <summary>Writes metrics as text 0.0.4, or as OpenMetrics 1.0 with exemplars.</summary>
internal sealed class TextExposition(IBufferWriter<byte> to, bool isOpenMetrics) : SampleSink
{
    private readonly StringBuilder text = new(256);
    private string name = "";

    /// <inheritdoc/>
    public override void Begin(MetricFamily family)
    {
        name = family.Name;

        // In OpenMetrics the suffix belongs to the samples of a counter, not to its name.
        var shown = isOpenMetrics && family.Type == "counter" ? name[..^MetricRegistry.CounterSuffix.Length] : name;
        var help = family.Help.Replace("\\", "\\\\").Replace("\n", "\\n");
        text.Clear().Append("# HELP ").Append(shown).Append(' ').Append(isOpenMetrics ? help.Replace("\"", "\\\"") : help)
            .Append("\n# TYPE ").Append(shown).Append(' ').Append(family.Type).Append('\n');
    }

    /// <inheritdoc/>
    public override void Put(string suffix, ReadOnlySpan<(string Name, string Value)> labels, double value)
    {
        Write(suffix, labels, value);
        text.Append('\n');
    }

    /// <inheritdoc/>
    public override void Put((string Name, string Value) label, HistogramSnapshot histogram)
    {
        var total = 0L;
        for (var i = 0; i < histogram.Counts.Length; i++)
        {
            total += histogram.Counts[i];
            Write("_bucket", [label, ("le", Bound(i < histogram.Bounds.Length ? histogram.Bounds[i] : double.PositiveInfinity))], total);
            if (isOpenMetrics && histogram.Exemplars[i] is { } exemplar)
            {
                text.Append(CultureInfo.InvariantCulture, $" # {{trace_id=\"{exemplar.TraceId}\",span_id=\"{exemplar.SpanId}\"}} {Format(exemplar.Value)} {exemplar.AtMs / 1000}.{exemplar.AtMs % 1000:D3}");
            }

            text.Append('\n');
        }

        Put("_sum", [label], histogram.Sum);
        Put("_count", [label], total);
    }

    /// <inheritdoc/>
    public override void End() => Encoding.UTF8.GetBytes(text.ToString(), to);

    /// <inheritdoc/>
    public override void Complete()
    {
        if (isOpenMetrics)
        {
            to.Write("# EOF\n"u8);
        }
    }

    /// <summary>A float as the text format has it.</summary>
    public static string Format(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf" : double.IsNegativeInfinity(value) ? "-Inf" : value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>A bound: OpenMetrics wants whole ones to be seen as floats, so that all programs write the same label.</summary>
    private string Bound(double bound) => Format(bound) is var shown && isOpenMetrics && double.IsInteger(bound) && !shown.Contains('E') ? shown + ".0" : shown;

    private void Write(string suffix, ReadOnlySpan<(string Name, string Value)> labels, double value)
    {
        text.Append(name).Append(suffix);
        if (labels.Length > 0)
        {
            text.Append('{');
            for (var i = 0; i < labels.Length; i++)
            {
                text.Append(i == 0 ? "" : ",").Append(labels[i].Name).Append("=\"")
                    .Append(labels[i].Value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")).Append('"');
            }

            text.Append('}');
        }

        text.Append(' ').Append(Format(value));
    }
}
