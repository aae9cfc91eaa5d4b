using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Takes encoded chunks of one series, ascending in time.</summary>
public interface IChunkSink
{
    /// <summary>Takes a chunk; the bytes are borrowed for the call.</summary>
    void AddChunk(ChunkEncoding encoding, long firstMs, long lastMs, ReadOnlySpan<byte> data);

    /// <summary>Takes a run of floats, to encode them its own way; false when it wants them as chunks.</summary>
    bool TryAddFloats(ReadOnlySpan<long> times, ReadOnlySpan<double> values) => false;
}

/// <summary>Encodes samples of one series, whatever their kinds, as a run of chunks. Reused; not thread-safe.</summary>
public sealed class ChunkRun(int chunkSamples)
{
    private readonly HistogramChunkEncoder whole = new(ChunkEncoding.Histogram);
    private readonly HistogramChunkEncoder fractional = new(ChunkEncoding.FloatHistogram);
    private readonly byte[] scratch = new byte[XorChunk.MaxBytes(chunkSamples)];

    /// <summary>Adds the samples to the series at hand.</summary>
    public void Write(SampleBuffer samples, IChunkSink to)
    {
        for (var at = 0; at < samples.Count;)
        {
            at = samples.HasHistograms && samples.Histograms[at] is not null ? WriteHistograms(samples, at, to) : WriteFloats(samples, at, to);
        }
    }

    private int WriteFloats(SampleBuffer samples, int from, IChunkSink to)
    {
        var end = from;
        while (end < samples.Count && !(samples.HasHistograms && samples.Histograms[end] is not null))
        {
            end++;
        }

        var times = samples.Times[from..end];
        var values = samples.Values[from..end];
        if (to.TryAddFloats(times, values))
        {
            return end;
        }

        for (var at = 0; at < times.Length; at += chunkSamples)
        {
            var count = Math.Min(chunkSamples, times.Length - at);
            var length = XorChunk.Encode(times.Slice(at, count), values.Slice(at, count), scratch);
            to.AddChunk(ChunkEncoding.Xor, times[at], times[at + count - 1], scratch.AsSpan(0, length));
        }

        return end;
    }

    // A run of histograms of one kind; layouts and resets end chunks within it.
    private int WriteHistograms(SampleBuffer samples, int from, IChunkSink to)
    {
        var encoder = HistogramChunkEncoder.HasWholeCounts(samples.Histograms[from]!) ? whole : fractional;
        var hint = samples.Histograms[from]!.CounterResetHint;
        encoder.Begin(hint == CounterResetHint.NotReset ? CounterResetHint.Unknown : hint);
        var first = from;
        var at = from;
        for (; at < samples.Count && samples.Histograms[at] is { } histogram; at++)
        {
            if (!StaleMarker.Is(histogram.Sum) && encoder.Encoding == ChunkEncoding.Histogram != HistogramChunkEncoder.HasWholeCounts(histogram))
            {
                break;
            }

            var full = encoder.Count >= chunkSamples;
            if (full || !encoder.TryAppend(samples.Times[at], histogram))
            {
                to.AddChunk(encoder.Encoding, samples.Times[first], samples.Times[at - 1], encoder.ToBytes());
                encoder.Begin(!full ? encoder.NextHint : histogram.CounterResetHint == CounterResetHint.Gauge ? CounterResetHint.Gauge : CounterResetHint.Unknown);
                first = at;
                encoder.TryAppend(samples.Times[at], histogram);
            }
        }

        to.AddChunk(encoder.Encoding, samples.Times[first], samples.Times[at - 1], encoder.ToBytes());
        return at;
    }
}
