using System.Buffers;
using System.Text;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.Telemetry;

/// <summary>Writes metrics as delimited <c>io.prometheus.client.MetricFamily</c> messages, histograms both classic and native.</summary>
/// <remarks>
/// <code>
/// MetricFamily { name = 1; help = 2; MetricType type = 3; repeated Metric metric = 4; }
/// Metric       { repeated LabelPair label = 1; Gauge gauge = 2; Counter counter = 3; Histogram histogram = 7; }
/// Gauge, Counter { double value = 1; }
/// Histogram    { uint64 sample_count = 1; double sample_sum = 2; repeated Bucket bucket = 3; sint32 schema = 5; double zero_threshold = 6; uint64 zero_count = 7;
///                repeated BucketSpan positive_span = 12; repeated sint64 positive_delta = 13; }
/// Bucket       { uint64 cumulative_count = 1; double upper_bound = 2; Exemplar exemplar = 3; }
/// BucketSpan   { sint32 offset = 1; uint32 length = 2; }
/// Exemplar     { repeated LabelPair label = 1; double value = 2; Timestamp timestamp = 3; }
/// </code>
/// prometheus/client_model, io/prometheus/client/metrics.proto.
/// </remarks>
internal sealed class ProtobufExposition(IBufferWriter<byte> to) : SampleSink, IDisposable
{
    private readonly ProtobufWriter message = new();
    private MetricFamily family = null!;

    /// <inheritdoc/>
    public override void Begin(MetricFamily family)
    {
        this.family = family;
        message.Clear();
        Text(1, family.Name);
        Text(2, family.Help);
        message.Varint64(3, family.Type switch { "counter" => 0UL, "gauge" => 1, _ => 4 });
    }

    /// <inheritdoc/>
    public override void Put(string suffix, ReadOnlySpan<(string Name, string Value)> labels, double value)
    {
        var metric = message.Begin(4);
        foreach (var (name, labelValue) in labels)
        {
            Label(name, labelValue);
        }

        var number = message.Begin(family.Type == "counter" ? 3 : 2);
        message.Double(1, value);
        message.End(number);
        message.End(metric);
    }

    /// <inheritdoc/>
    public override void Put((string Name, string Value) label, HistogramSnapshot histogram)
    {
        var metric = message.Begin(4);
        Label(label.Name, label.Value);
        var part = message.Begin(7);
        message.Varint64(1, (ulong)histogram.Counts.Sum());
        message.Double(2, histogram.Sum);
        var total = 0L;
        for (var i = 0; i < histogram.Counts.Length; i++)
        {
            total += histogram.Counts[i];
            var bucket = message.Begin(3);
            message.Varint64(1, (ulong)total);
            message.Double(2, i < histogram.Bounds.Length ? histogram.Bounds[i] : double.PositiveInfinity);
            if (histogram.Exemplars[i] is { } exemplar)
            {
                Write(exemplar);
            }

            message.End(bucket);
        }

        message.ZigZag(5, NativeBuckets.Schema);
        message.Double(6, NativeBuckets.ZeroThreshold);
        message.Varint64(7, (ulong)histogram.Native.ZeroCount);
        Write(histogram.Native);
        message.End(part);
        message.End(metric);
    }

    /// <inheritdoc/>
    public override void End()
    {
        var written = message.Written;
        Span<byte> length = stackalloc byte[Varint.MaxBytes];
        to.Write(length[..Varint.Write(length, (ulong)written.Length)]);
        to.Write(written);
    }

    /// <inheritdoc/>
    public void Dispose() => message.Dispose();

    /// <summary>The filled buckets as spans of neighbours, and each count as the difference from the one before.</summary>
    private void Write(NativeBuckets native)
    {
        var filled = native.Filled().ToList();
        var next = 0;
        for (var at = 0; at < filled.Count;)
        {
            var end = at + 1;
            while (end < filled.Count && filled[end].Index == filled[end - 1].Index + 1)
            {
                end++;
            }

            var span = message.Begin(12);
            message.ZigZag(1, filled[at].Index - next);
            message.Varint64(2, (ulong)(end - at));
            message.End(span);
            next = filled[end - 1].Index + 1;
            at = end;
        }

        // A histogram that has only zeros is told from a classic one by an empty span.
        if (filled.Count == 0)
        {
            message.End(message.Begin(12));
        }

        var before = 0L;
        foreach (var (_, count) in filled)
        {
            message.ZigZag(13, count - before);
            before = count;
        }
    }

    private void Write(ObservedExemplar exemplar)
    {
        var part = message.Begin(3);
        Label("trace_id", exemplar.TraceId);
        Label("span_id", exemplar.SpanId);
        message.Double(2, exemplar.Value);
        var at = message.Begin(3);
        message.Varint64(1, (ulong)(exemplar.AtMs / 1000));
        message.Varint64(2, (ulong)(exemplar.AtMs % 1000 * 1_000_000));
        message.End(at);
        message.End(part);
    }

    private void Label(string name, string value)
    {
        var pair = message.Begin(1);
        Text(1, name);
        Text(2, value);
        message.End(pair);
    }

    private void Text(int field, string text) => message.Bytes(field, Encoding.UTF8.GetBytes(text));
}
