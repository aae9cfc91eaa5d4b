using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Reduces native histograms to count, sum and counter a window, as chunks of aggregates. A layout that changes ends a chunk, and so does a reset.</summary>
/// <remarks>As <see cref="FloatWindows"/>, but since no chunk has a reset inside, the counter of a window is its last histogram. There is no least or greatest of histograms.</remarks>
internal sealed class HistogramWindows(long resolutionMs)
{
    /// <summary>Reduces a run of histograms, none stale; gives the chunks with their first and last times.</summary>
    public IEnumerable<(long FirstMs, long LastMs, byte[] Chunk)> Reduce(List<(long TimeMs, FloatHistogram Histogram)> samples)
    {
        // A histogram chunk holds one layout, so a run of aggregates does too.
        for (var at = 0; at < samples.Count;)
        {
            var end = at + 1;
            while (end < samples.Count && GoesOn(samples[end - 1].Histogram, samples[end].Histogram))
            {
                end++;
            }

            yield return ReduceRun(CollectionsMarshal.AsSpan(samples)[at..end]);
            at = end;
        }
    }

    private static bool GoesOn(FloatHistogram before, FloatHistogram now) => HaveOneLayout(before, now) && (IsGauge(now) || !now.DetectReset(before));

    private static bool IsGauge(FloatHistogram histogram) => histogram.CounterResetHint == CounterResetHint.Gauge;

    private static bool HaveOneLayout(FloatHistogram a, FloatHistogram b) =>
        IsGauge(a) == IsGauge(b) && a.Schema == b.Schema && a.ZeroThreshold == b.ZeroThreshold && a.CustomValues.AsSpan().SequenceEqual(b.CustomValues)
        && a.PositiveSpans.AsSpan().SequenceEqual(b.PositiveSpans) && a.NegativeSpans.AsSpan().SequenceEqual(b.NegativeSpans);

    private (long FirstMs, long LastMs, byte[] Chunk) ReduceRun(ReadOnlySpan<(long TimeMs, FloatHistogram Histogram)> samples)
    {
        var times = new List<long>();
        var counts = new List<double>();
        var sums = Begin();
        var counter = Begin();
        counter.TryAppend(samples[0].TimeMs, Gauge(samples[0].Histogram));
        var endMs = samples[^1].TimeMs;
        var windowMs = DownsampleWindow.End(samples[0].TimeMs, resolutionMs, endMs);
        FloatHistogram? sum = null;
        var count = 0;
        for (var i = 0; i <= samples.Length; i++)
        {
            if (i == samples.Length || samples[i].TimeMs > windowMs)
            {
                times.Add(windowMs);
                counts.Add(count);
                sums.TryAppend(windowMs, Gauge(sum!));
                if (windowMs > samples[0].TimeMs)
                {
                    counter.TryAppend(windowMs, Gauge(samples[i - 1].Histogram));
                }

                (sum, count) = (null, 0);
                if (i == samples.Length)
                {
                    break;
                }

                windowMs = DownsampleWindow.End(samples[i].TimeMs, resolutionMs, endMs);
            }

            var now = samples[i].Histogram;
            sum = sum is null ? now.Copy() : sum.Add(now);
            count++;
        }

        var encodedCounts = new byte[XorChunk.MaxBytes(times.Count)];
        var length = XorChunk.Encode(CollectionsMarshal.AsSpan(times), CollectionsMarshal.AsSpan(counts), encodedCounts);
        var none = (ChunkEncoding.None, Array.Empty<byte>());
        return (samples[0].TimeMs, windowMs, AggregateChunk.Join(
            [(ChunkEncoding.Xor, encodedCounts[..length]), (ChunkEncoding.FloatHistogram, sums.ToBytes()), none, none, (ChunkEncoding.FloatHistogram, counter.ToBytes())]));
    }

    // As gauges, for then a chunk takes what falls too: sums do, and the reader works resets out by itself.
    private static HistogramChunkEncoder Begin()
    {
        var encoder = new HistogramChunkEncoder(ChunkEncoding.FloatHistogram);
        encoder.Begin(CounterResetHint.Gauge);
        return encoder;
    }

    private static FloatHistogram Gauge(FloatHistogram histogram) => histogram.WithHint(CounterResetHint.Gauge);
}
