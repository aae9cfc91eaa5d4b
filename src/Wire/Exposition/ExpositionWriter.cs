using System.Buffers;
using System.Text;

namespace Metrics.Wire;

/// <summary>Writes metrics in Prometheus's text format 0.0.4. Not thread-safe.</summary>
/// <remarks>
/// A family at a time: <see cref="BeginFamily"/>, then its samples. The caller keeps names legal and families together.
/// <code>
/// # HELP requests_total Requests answered.
/// # TYPE requests_total counter
/// requests_total{code="200"} 17
/// </code>
/// </remarks>
public sealed class ExpositionWriter(IBufferWriter<byte> output)
{
    /// <summary>The content type of what is written.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private string family = "";

    /// <summary>Begins a family of metrics.</summary>
    /// <param name="name">The name of the family, and of its samples unless a histogram adds a suffix.</param>
    /// <param name="help">One line about it; escaped here.</param>
    /// <param name="type">Counter, gauge or histogram.</param>
    public void BeginFamily(string name, string help, MetricType type)
    {
        family = name;
        output.Write("# HELP "u8);
        Text(name);
        output.Write(" "u8);
        Text(Escape(help, quotes: false));
        output.Write("\n# TYPE "u8);
        Text(name);
        output.Write(type switch
        {
            MetricType.Counter => " counter\n"u8,
            MetricType.Gauge => " gauge\n"u8,
            MetricType.Histogram => " histogram\n"u8,
            _ => " untyped\n"u8,
        });
    }

    /// <summary>Writes a sample of the family.</summary>
    public void Sample(double value, params ReadOnlySpan<(string Name, string Value)> labels) => Line("", labels, null, value);

    /// <summary>Writes a histogram of the family: buckets, sum and count.</summary>
    /// <param name="upperBounds">Ascending, without +Inf.</param>
    /// <param name="counts">Observations per bucket, not cumulative; one more than bounds, the last beyond all of them.</param>
    /// <param name="sum">The sum of observations.</param>
    /// <param name="labels">Labels beside <c>le</c>.</param>
    /// <exception cref="ArgumentException">The counts are not one more than the bounds.</exception>
    public void Histogram(ReadOnlySpan<double> upperBounds, ReadOnlySpan<long> counts, double sum, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        if (counts.Length != upperBounds.Length + 1)
        {
            throw new ArgumentException($"{counts.Length} counts for {upperBounds.Length} bounds, want {upperBounds.Length + 1}", nameof(counts));
        }

        long running = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            running += counts[i];
            Line("_bucket", labels, i < upperBounds.Length ? upperBounds[i] : double.PositiveInfinity, running);
        }

        Line("_sum", labels, null, sum);
        Line("_count", labels, null, running);
    }

    private void Line(string suffix, ReadOnlySpan<(string Name, string Value)> labels, double? bound, double value)
    {
        Text(family);
        Text(suffix);
        var separator = "{"u8;
        foreach (var (name, text) in labels)
        {
            output.Write(separator);
            separator = ","u8;
            Text(name);
            output.Write("=\""u8);
            Text(Escape(text, quotes: true));
            output.Write("\""u8);
        }

        if (bound is { } le)
        {
            output.Write(separator);
            separator = ","u8;
            output.Write("le=\""u8);
            Number(le);
            output.Write("\""u8);
        }

        output.Write(separator[0] == (byte)'{' ? " "u8 : "} "u8);
        Number(value);
        output.Write("\n"u8);
    }

    private void Number(double value)
    {
        var span = output.GetSpan(GoFloat.MaxBytes);
        output.Advance(GoFloat.FormatG(value, span));
    }

    private void Text(string text)
    {
        var span = output.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length));
        output.Advance(Encoding.UTF8.GetBytes(text, span));
    }

    private static string Escape(string text, bool quotes)
    {
        var escaped = text.Replace("\\", "\\\\").Replace("\n", "\\n");
        return quotes ? escaped.Replace("\"", "\\\"") : escaped;
    }
}
