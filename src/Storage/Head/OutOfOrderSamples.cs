using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The out-of-order samples of one series: a small sorted buffer, sealed into XOR chunks that may overlap. Thread-safe; rare, so a lock and managed memory do.</summary>
internal sealed class OutOfOrderSamples
{
    /// <summary>Samples in the buffer before it is sealed; Prometheus's out-of-order capacity.</summary>
    private const int Capacity = 32;

    private readonly Lock gate = new();
    private readonly long[] times = new long[Capacity];
    private readonly double[] values = new double[Capacity];
    private readonly List<(byte[] Bytes, long MinMs, long MaxMs)> chunks = [];

    // What a cut has set apart; overlaps with chunks in nothing, as each instant is taken once.
    private readonly List<(byte[] Bytes, long MinMs, long MaxMs)> closing = [];
    private int count;

    public bool IsEmpty
    {
        get
        {
            lock (gate)
            {
                return count == 0 && chunks.Count == 0 && closing.Count == 0;
            }
        }
    }

    /// <summary>Adds a sample that the in-order chunks do not have.</summary>
    public AppendOutcome Add(long timeMs, double value)
    {
        lock (gate)
        {
            var bits = BitConverter.DoubleToUInt64Bits(value);
            foreach (var (bytes, min, max) in chunks.Concat(closing))
            {
                if (timeMs >= min && timeMs <= max && XorChunk.TryFind(bytes, XorChunk.Count(bytes), timeMs, out var found))
                {
                    return found == bits ? AppendOutcome.AlreadyThere : AppendOutcome.DuplicateTimestamp;
                }
            }

            var at = Array.BinarySearch(times, 0, count, timeMs);
            if (at >= 0)
            {
                return BitConverter.DoubleToUInt64Bits(values[at]) == bits ? AppendOutcome.AlreadyThere : AppendOutcome.DuplicateTimestamp;
            }

            if (count == Capacity)
            {
                Seal();
                at = ~0;
            }

            at = ~at;
            times.AsSpan(at, count - at).CopyTo(times.AsSpan(at + 1));
            values.AsSpan(at, count - at).CopyTo(values.AsSpan(at + 1));
            (times[at], values[at]) = (timeMs, value);
            count++;
            return AppendOutcome.Added;
        }
    }

    /// <summary>The samples in a range as they are now.</summary>
    public LateSamples View(TimeRange range)
    {
        lock (gate)
        {
            var rest = new List<(long TimeMs, double Value)>();
            for (var i = 0; i < count; i++)
            {
                if (range.Contains(times[i]))
                {
                    rest.Add((times[i], values[i]));
                }
            }

            return new LateSamples([.. chunks.Concat(closing).Where(c => range.Overlaps(new(c.MinMs, c.MaxMs))).Select(static c => c.Bytes)], [.. rest], range);
        }
    }

    /// <summary>Sets the samples before an instant apart, for a block, and adds the times they span to a list. Reads go on seeing them.</summary>
    public void BeginCut(long endMs, List<TimeRange> spans)
    {
        lock (gate)
        {
            if (count > 0)
            {
                Seal();
            }

            for (var i = chunks.Count - 1; i >= 0; i--)
            {
                if (chunks[i].MinMs < endMs)
                {
                    var chunk = chunks[i];
                    chunks.RemoveAt(i);
                    SetApart(chunk, endMs);
                }
            }

            foreach (var (_, min, max) in closing)
            {
                spans.Add(new TimeRange(min, max));
            }
        }
    }

    /// <summary>Drops the samples set apart: they are in a block.</summary>
    public void EndCut()
    {
        lock (gate)
        {
            closing.Clear();
        }
    }

    private void SetApart((byte[] Bytes, long MinMs, long MaxMs) chunk, long endMs)
    {
        if (chunk.MaxMs < endMs)
        {
            closing.Add(chunk);
            return;
        }

        using var samples = new SampleBuffer(Capacity);
        XorChunk.Decode(chunk.Bytes, TimeRange.All, samples);
        var kept = samples.Times.BinarySearch(endMs);
        kept = kept < 0 ? ~kept : kept;
        closing.Add(Encoded(samples.Times[..kept], samples.Values[..kept]));
        chunks.Add(Encoded(samples.Times[kept..], samples.Values[kept..]));
    }

    private void Seal()
    {
        chunks.Add(Encoded(times.AsSpan(0, count), values.AsSpan(0, count)));
        count = 0;
    }

    private static (byte[] Bytes, long MinMs, long MaxMs) Encoded(ReadOnlySpan<long> times, ReadOnlySpan<double> values)
    {
        var bytes = new byte[XorChunk.MaxBytes(times.Length)];
        var length = XorChunk.Encode(times, values, bytes);
        return (bytes.AsSpan(0, length).ToArray(), times[0], times[^1]);
    }
}
