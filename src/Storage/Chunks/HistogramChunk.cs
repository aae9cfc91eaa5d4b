using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Chunks of native histograms with integer counts.</summary>
/// <remarks>tsdb/chunkenc/histogram.go of Prometheus: sample count, a byte whose top two bits tell of counter resets, the shared layout, then
/// per sample time, counts and buckets as differences of differences and the sum as difference in bits.</remarks>
public static class HistogramChunk
{
    internal const int HeaderBytes = 3;

    /// <summary>Appends the histograms within a range.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged.</exception>
    public static void Decode(ReadOnlySpan<byte> chunk, TimeRange range, SampleBuffer into)
    {
        into.NoteEncoded(chunk.Length);
        if (chunk.Length < HeaderBytes)
        {
            throw new InvalidDataException($"a histogram chunk has at least {HeaderBytes} bytes");
        }

        var count = BinaryPrimitives.ReadUInt16BigEndian(chunk);
        if (count == 0)
        {
            return;
        }

        var bits = new HistogramBitReader(chunk[HeaderBytes..]);
        var layout = HistogramLayout.Read(ref bits, 1);
        var total = default(RunningInt);
        var zero = default(RunningInt);
        var time = default(RunningInt);
        var positive = new RunningInt[layout.PositiveBuckets];
        var negative = new RunningInt[layout.NegativeBuckets];
        var sum = default(HistogramXorValue);
        for (var i = 0; i < count; i++)
        {
            var last = time.Value;
            if (i == 0)
            {
                time.Value = bits.VarbitInt();
                total.Value = (long)bits.VarbitUInt();
                zero.Value = (long)bits.VarbitUInt();
                sum.Value = BitConverter.UInt64BitsToDouble(bits.Bits(64));
            }
            else
            {
                time.Step(bits.VarbitInt());
                total.Step(bits.VarbitInt());
                zero.Step(bits.VarbitInt());
                sum.Read(ref bits);
                if (time.Value <= last)
                {
                    throw new InvalidDataException($"time {time.Value} follows {last}");
                }
            }

            // A stale sample carries no buckets, unless it is the first: then the layout has none.
            var stale = StaleMarker.Is(sum.Value);
            if (!stale || i == 0)
            {
                ReadBuckets(ref bits, positive, i == 0);
                ReadBuckets(ref bits, negative, i == 0);
            }

            if (time.Value > range.MaxMs)
            {
                return;
            }

            if (time.Value < range.MinMs)
            {
                continue;
            }

            if (stale)
            {
                into.Add(time.Value, new FloatHistogram { Sum = sum.Value });
                continue;
            }

            var histogram = layout.NewHistogram(chunk[2], i);
            histogram.Count = (ulong)total.Value;
            histogram.ZeroCount = (ulong)zero.Value;
            histogram.Sum = sum.Value;
            histogram.PositiveBuckets = Absolute(positive);
            histogram.NegativeBuckets = Absolute(negative);
            into.Add(time.Value, histogram);
        }
    }

    private static void ReadBuckets(scoped ref HistogramBitReader bits, RunningInt[] buckets, bool first)
    {
        for (var i = 0; i < buckets.Length; i++)
        {
            var read = bits.VarbitInt();
            if (first)
            {
                buckets[i].Value = read;
            }
            else
            {
                buckets[i].Step(read);
            }
        }
    }

    // A stored bucket is the difference from its neighbour.
    private static double[] Absolute(RunningInt[] buckets)
    {
        var counts = buckets.Length == 0 ? [] : new double[buckets.Length];
        long current = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            current = unchecked(current + buckets[i].Value);
            counts[i] = current;
        }

        return counts;
    }

    private struct RunningInt
    {
        public long Value;
        private long delta;

        public void Step(long deltaOfDelta)
        {
            delta = unchecked(delta + deltaOfDelta);
            Value = unchecked(Value + delta);
        }
    }
}
