using Metrics.Model;

namespace Metrics.Wire;

/// <summary>Writes the answers of remote read: <c>ReadResponse</c>, or the messages of a stream of chunks.</summary>
/// <remarks>
/// <code>
/// ReadResponse        { repeated QueryResult results = 1; }   QueryResult { repeated TimeSeries timeseries = 1; }
/// ChunkedReadResponse { repeated ChunkedSeries chunked_series = 1; int64 query_index = 2; }
/// ChunkedSeries       { repeated Label labels = 1; repeated Chunk chunks = 2; }
/// Chunk               { int64 min_time_ms = 1; int64 max_time_ms = 2; Encoding type = 3; bytes data = 4; }
/// </code>
/// prometheus/prometheus prompb/remote.proto and types.proto. Not thread-safe.
/// </remarks>
public sealed class ReadResponseWriter : IDisposable
{
    private readonly ProtobufWriter fields = new();
    private int outer;
    private int inner;

    /// <summary>What was written; valid until the next write.</summary>
    public ReadOnlySpan<byte> Written => fields.Written;

    /// <summary>Forgets what was written.</summary>
    public void Clear() => fields.Clear();

    /// <summary>Begins the result of the next query.</summary>
    public void BeginResult() => outer = fields.Begin(1);

    /// <summary>Ends it.</summary>
    public void EndResult() => fields.End(outer);

    /// <summary>Adds a series with its samples to the result at hand.</summary>
    public void AddSeries(Labels labels, SampleBuffer samples)
    {
        var series = fields.Begin(1);
        AddLabels(labels);
        for (var i = 0; i < samples.Count; i++)
        {
            if (samples.HasHistograms && samples.Histograms[i] is { } histogram)
            {
                var mark = fields.Begin(4);
                HistogramMessage.Write(fields, AsSent(samples.Times[i], histogram));
                fields.End(mark);
            }
            else
            {
                var mark = fields.Begin(2);
                fields.Double(1, samples.Values[i]);
                fields.Varint64(2, (ulong)samples.Times[i]);
                fields.End(mark);
            }
        }

        fields.End(series);
    }

    /// <summary>Begins a message of the stream: one series of one query.</summary>
    public void BeginChunked(Labels labels)
    {
        fields.Clear();
        inner = fields.Begin(1);
        AddLabels(labels);
    }

    /// <summary>Adds a chunk to the series at hand.</summary>
    /// <param name="encoding">The number of the encoding; Prometheus's, in blocks and here.</param>
    /// <param name="minMs">Time of the first sample.</param>
    /// <param name="maxMs">Time of the last sample.</param>
    /// <param name="data">The chunk.</param>
    public void AddChunk(byte encoding, long minMs, long maxMs, ReadOnlySpan<byte> data)
    {
        var chunk = fields.Begin(2);
        fields.Varint64(1, (ulong)minMs);
        fields.Varint64(2, (ulong)maxMs);
        fields.Varint64(3, encoding);
        fields.Bytes(4, data);
        fields.End(chunk);
    }

    /// <summary>Ends the message.</summary>
    public void EndChunked(int query)
    {
        fields.End(inner);
        fields.Varint64(2, (ulong)query);
    }

    /// <inheritdoc/>
    public void Dispose() => fields.Dispose();

    private static HistogramSample AsSent(long timeMs, FloatHistogram histogram) => new()
    {
        TimestampMs = timeMs,
        IsFloat = true,
        CountFloat = histogram.Count,
        Sum = histogram.Sum,
        Schema = histogram.Schema,
        ZeroThreshold = histogram.ZeroThreshold,
        ZeroCountFloat = histogram.ZeroCount,
        CounterResetHint = histogram.CounterResetHint,
        PositiveSpans = histogram.PositiveSpans,
        PositiveCounts = histogram.PositiveBuckets,
        NegativeSpans = histogram.NegativeSpans,
        NegativeCounts = histogram.NegativeBuckets,
        CustomValues = histogram.CustomValues,
    };

    private void AddLabels(Labels labels)
    {
        foreach (var label in labels)
        {
            var mark = fields.Begin(1);
            fields.Bytes(1, label.Name);
            fields.Bytes(2, label.Value);
            fields.End(mark);
        }
    }
}
