using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>Reduces float samples to one set of aggregates a window, as one chunk of aggregates.</summary>
/// <remarks>
/// thanos-io/thanos, pkg/compact/downsample. A window's aggregates stand at its last millisecond, or at the last sample when the run ends before. The counter has the first sample before them, goes on
/// through resets, and ends with the raw value of the last sample at the time of the last window, by which the reader tells whether the next chunk begins with a reset.
/// </remarks>
internal sealed class FloatWindows(long resolutionMs)
{
    private readonly List<long> times = [];
    private readonly List<double>[] columns = [[], [], [], []];
    private readonly List<long> counterTimes = [];
    private readonly List<double> counter = [];
    private double total;
    private double last;
    private double sum;
    private double min;
    private double max;
    private int count;

    /// <summary>Reduces a run of samples, none of them NaN; gives the first and last time of the chunk.</summary>
    public byte[] Reduce(ReadOnlySpan<long> sampleTimes, ReadOnlySpan<double> values, out long firstMs, out long lastMs)
    {
        times.Clear();
        counterTimes.Clear();
        counter.Clear();
        Array.ForEach(columns, c => c.Clear());
        counterTimes.Add(sampleTimes[0]);
        counter.Add(values[0]);
        (total, last, count) = (values[0], values[0], 0);
        var endMs = sampleTimes[^1];
        var windowMs = DownsampleWindow.End(sampleTimes[0], resolutionMs, endMs);
        for (var i = 0; i < sampleTimes.Length; i++)
        {
            if (sampleTimes[i] > windowMs)
            {
                Close(windowMs);
                windowMs = DownsampleWindow.End(sampleTimes[i], resolutionMs, endMs);
            }

            Take(values[i]);
        }

        Close(windowMs);
        counterTimes.Add(windowMs);
        counter.Add(values[^1]);
        (firstMs, lastMs) = (sampleTimes[0], windowMs);
        return AggregateChunk.Join([Encode(times, columns[0]), Encode(times, columns[1]), Encode(times, columns[2]), Encode(times, columns[3]), Encode(counterTimes, counter)]);
    }

    private void Take(double value)
    {
        (sum, min, max) = count == 0 ? (value, value, value) : (sum + value, Math.Min(min, value), Math.Max(max, value));
        count++;
        total += value < last ? value : value - last;
        last = value;
    }

    private void Close(long windowMs)
    {
        times.Add(windowMs);
        columns[(int)Aggregate.Count].Add(count);
        columns[(int)Aggregate.Sum].Add(sum);
        columns[(int)Aggregate.Min].Add(min);
        columns[(int)Aggregate.Max].Add(max);
        counterTimes.Add(windowMs);
        counter.Add(total);
        count = 0;
    }

    private static (ChunkEncoding Encoding, byte[] Data) Encode(List<long> at, List<double> values)
    {
        var bytes = new byte[XorChunk.MaxBytes(at.Count)];
        var length = XorChunk.Encode(CollectionsMarshal.AsSpan(at), CollectionsMarshal.AsSpan(values), bytes);
        return (ChunkEncoding.Xor, bytes[..length]);
    }
}

/// <summary>The windows of a resolution.</summary>
internal static class DownsampleWindow
{
    /// <summary>The last millisecond of the window that an instant lies in, but not after the end of the run.</summary>
    public static long End(long timeMs, long resolutionMs, long endMs) => Math.Min(endMs, timeMs - (((timeMs % resolutionMs) + resolutionMs) % resolutionMs) + resolutionMs - 1);
}
