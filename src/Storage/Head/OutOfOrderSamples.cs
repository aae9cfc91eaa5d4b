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
    private int count;

    public bool IsEmpty
    {
        get
        {
            lock (gate)
            {
                return count == 0 && chunks.Count == 0;
            }
        }
    }

    /// <summary>Adds a sample that the in-order chunks do not have.</summary>
    public AppendOutcome Add(long timeMs, double value)
    {
        lock (gate)
        {
            var bits = BitConverter.DoubleToUInt64Bits(value);
            foreach (var (bytes, min, max) in chunks)
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

    /// <summary>Adds the samples in the range to a list, unordered between chunks.</summary>
    public void Collect(TimeRange range, List<(long TimeMs, double Value)> into)
    {
        using var buffer = new SampleBuffer(Capacity);
        lock (gate)
        {
            foreach (var (bytes, min, max) in chunks)
            {
                if (range.Overlaps(new(min, max)))
                {
                    XorChunk.Decode(bytes, range, buffer);
                    for (var i = 0; i < buffer.Count; i++)
                    {
                        into.Add((buffer.Times[i], buffer.Values[i]));
                    }

                    buffer.Clear();
                }
            }

            for (var i = 0; i < count; i++)
            {
                if (range.Contains(times[i]))
                {
                    into.Add((times[i], values[i]));
                }
            }
        }
    }

    /// <summary>Drops samples before an instant; whole chunks only.</summary>
    public void Truncate(long boundMs)
    {
        lock (gate)
        {
            chunks.RemoveAll(c => c.MaxMs < boundMs);
            var kept = 0;
            for (var i = 0; i < count; i++)
            {
                if (times[i] >= boundMs)
                {
                    (times[kept], values[kept]) = (times[i], values[i]);
                    kept++;
                }
            }

            count = kept;
        }
    }

    private void Seal()
    {
        var bytes = new byte[XorChunk.MaxBytes(count)];
        var length = XorChunk.Encode(times.AsSpan(0, count), values.AsSpan(0, count), bytes);
        chunks.Add((bytes.AsSpan(0, length).ToArray(), times[0], times[count - 1]));
        count = 0;
    }
}
