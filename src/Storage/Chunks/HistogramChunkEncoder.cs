using System.Buffers.Binary;
using System.Numerics;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Encodes native histograms into one chunk after another; bit for bit what Prometheus writes for histograms of one layout.</summary>
/// <remarks>
/// A chunk holds histograms of one schema, zero bucket, bounds and bucket layout, and no counter reset within. Where Prometheus rewrites a chunk
/// when buckets appear, this encoder ends it: readers see the same samples. tsdb/chunkenc/histogram.go and float_histogram.go. Not thread-safe.
/// </remarks>
public sealed class HistogramChunkEncoder
{
    private readonly HistogramBitWriter bits = new();
    private readonly byte[] header = new byte[HistogramChunk.HeaderBytes];
    private FloatHistogram? layout;
    private long time;
    private long timeDelta;
    private bool stale;

    // Count, zero count and sum, then positive and negative buckets: as they are for floats, neighbours' differences for integers.
    private Field[] fields = [];

    /// <summary>An encoder of empty chunks.</summary>
    /// <param name="encoding"><see cref="ChunkEncoding.Histogram"/> for integer counts or <see cref="ChunkEncoding.FloatHistogram"/>.</param>
    public HistogramChunkEncoder(ChunkEncoding encoding)
    {
        if (encoding is not (ChunkEncoding.Histogram or ChunkEncoding.FloatHistogram))
        {
            throw new ArgumentOutOfRangeException(nameof(encoding), encoding, "not an encoding of histograms");
        }

        Encoding = encoding;
    }

    /// <summary>The encoding of the chunks.</summary>
    public ChunkEncoding Encoding { get; }

    /// <summary>Samples in the chunk.</summary>
    public int Count { get; private set; }

    /// <summary>After a refused append: what the next chunk's header has to say.</summary>
    public CounterResetHint NextHint { get; private set; }

    /// <summary>True when the counts of a histogram are whole and can be stored as integers.</summary>
    public static bool HasWholeCounts(FloatHistogram histogram) =>
        IsWhole(histogram.Count) && IsWhole(histogram.ZeroCount)
        && Array.TrueForAll(histogram.PositiveBuckets, IsWhole) && Array.TrueForAll(histogram.NegativeBuckets, IsWhole);

    /// <summary>Starts an empty chunk.</summary>
    /// <param name="hint">What is known of a counter reset between the chunk before and this one.</param>
    public void Begin(CounterResetHint hint)
    {
        bits.Clear();
        Count = 0;
        layout = null;
        timeDelta = 0;
        stale = false;
        header[2] = (byte)(hint switch
        {
            CounterResetHint.Reset => 0x80,
            CounterResetHint.NotReset => 0x40,
            CounterResetHint.Gauge => 0xC0,
            _ => 0,
        });
    }

    /// <summary>Appends a histogram; false, with <see cref="NextHint"/> set and nothing changed, when it must start a new chunk.</summary>
    /// <exception cref="ArgumentException">The time does not ascend, buckets do not fit the spans, or integer counts are not whole.</exception>
    public bool TryAppend(long timeMs, FloatHistogram histogram)
    {
        if (StaleMarker.Is(histogram.Sum))
        {
            histogram = new FloatHistogram { Sum = histogram.Sum, CounterResetHint = histogram.CounterResetHint };
        }

        Check(timeMs, histogram);
        if (Count == 0)
        {
            First(timeMs, histogram);
        }
        else if (Fits(histogram))
        {
            Next(timeMs, histogram);
        }
        else
        {
            return false;
        }

        time = timeMs;
        stale = StaleMarker.Is(histogram.Sum);
        Count++;
        return true;
    }

    /// <summary>The chunk's payload as it is now.</summary>
    public byte[] ToBytes()
    {
        BinaryPrimitives.WriteUInt16BigEndian(header, (ushort)Count);
        return [.. header, .. bits.Bytes];
    }

    private static bool IsWhole(double value) => value >= 0 && value < 1L << 53 && value == Math.Floor(value);

    private void Check(long timeMs, FloatHistogram histogram)
    {
        if (Count > 0 && timeMs <= time)
        {
            throw new ArgumentException($"time {timeMs} follows {time}", nameof(timeMs));
        }

        if (CountOf(histogram.PositiveSpans) != histogram.PositiveBuckets.Length || CountOf(histogram.NegativeSpans) != histogram.NegativeBuckets.Length)
        {
            throw new ArgumentException("a histogram's spans and buckets differ in number", nameof(histogram));
        }

        if (Encoding == ChunkEncoding.Histogram && !HasWholeCounts(histogram))
        {
            throw new ArgumentException("a histogram with fractional counts cannot be stored as integers", nameof(histogram));
        }
    }

    private static long CountOf(HistogramSpan[] spans)
    {
        long count = 0;
        foreach (var span in spans)
        {
            count += span.Length;
        }

        return count;
    }

    private bool Fits(FloatHistogram histogram)
    {
        var gauge = histogram.CounterResetHint == CounterResetHint.Gauge;
        NextHint = gauge ? CounterResetHint.Gauge : CounterResetHint.Unknown;
        if (gauge != (header[2] == 0xC0))
        {
            return false;
        }

        if (histogram.CounterResetHint == CounterResetHint.Reset)
        {
            NextHint = CounterResetHint.Reset;
            return false;
        }

        if (Count == ushort.MaxValue)
        {
            return false;
        }

        if (StaleMarker.Is(histogram.Sum))
        {
            return true;
        }

        if (stale || !SameLayout(layout!, histogram))
        {
            return false;
        }

        if (!gauge && IsReset(histogram))
        {
            NextHint = CounterResetHint.Reset;
            return false;
        }

        return true;
    }

    private static bool SameLayout(FloatHistogram a, FloatHistogram b) =>
        a.Schema == b.Schema && a.ZeroThreshold == b.ZeroThreshold
        && a.PositiveSpans.AsSpan().SequenceEqual(b.PositiveSpans) && a.NegativeSpans.AsSpan().SequenceEqual(b.NegativeSpans)
        && a.CustomValues.AsSpan().SequenceEqual(b.CustomValues);

    private bool IsReset(FloatHistogram histogram)
    {
        var last = layout!;
        return histogram.Count < last.Count || histogram.ZeroCount < last.ZeroCount
            || AnyLess(histogram.PositiveBuckets, last.PositiveBuckets) || AnyLess(histogram.NegativeBuckets, last.NegativeBuckets);
    }

    private static bool AnyLess(double[] now, double[] before)
    {
        for (var i = 0; i < now.Length; i++)
        {
            if (now[i] < before[i])
            {
                return true;
            }
        }

        return false;
    }

    private void First(long timeMs, FloatHistogram histogram)
    {
        WriteLayout(histogram);
        fields = new Field[3 + histogram.PositiveBuckets.Length + histogram.NegativeBuckets.Length];
        Array.Fill(fields, new Field { Leading = Field.None });
        bits.VarbitInt(timeMs);
        if (Encoding == ChunkEncoding.FloatHistogram)
        {
            for (var i = 0; i < fields.Length; i++)
            {
                fields[i].Float = ValueAt(histogram, i);
                bits.Double(fields[i].Float);
            }
        }
        else
        {
            fields[0].Integer = (long)histogram.Count;
            fields[1].Integer = (long)histogram.ZeroCount;
            fields[2].Float = histogram.Sum;
            bits.VarbitUInt((ulong)histogram.Count);
            bits.VarbitUInt((ulong)histogram.ZeroCount);
            bits.Double(histogram.Sum);
            for (var i = 3; i < fields.Length; i++)
            {
                fields[i].Integer = DifferenceAt(histogram, i - 3);
                bits.VarbitInt(fields[i].Integer);
            }
        }

        layout = histogram;
    }

    private void Next(long timeMs, FloatHistogram histogram)
    {
        var delta = timeMs - time;
        bits.VarbitInt(unchecked(delta - timeDelta));
        timeDelta = delta;
        var isStale = StaleMarker.Is(histogram.Sum);
        var used = isStale ? 3 : fields.Length;
        if (Encoding == ChunkEncoding.FloatHistogram)
        {
            for (var i = 0; i < used; i++)
            {
                fields[i].WriteFloat(bits, ValueAt(histogram, i));
            }
        }
        else
        {
            if (isStale)
            {
                bits.Bits(0, 2); // No change of either change: a stale sample has no counts.
            }
            else
            {
                fields[0].WriteInteger(bits, (long)histogram.Count);
                fields[1].WriteInteger(bits, (long)histogram.ZeroCount);
            }

            fields[2].WriteFloat(bits, histogram.Sum);
            for (var i = 3; i < used; i++)
            {
                fields[i].WriteInteger(bits, DifferenceAt(histogram, i - 3));
            }
        }

        if (!isStale)
        {
            layout = histogram;
        }
    }

    private static double ValueAt(FloatHistogram histogram, int field) => field switch
    {
        0 => histogram.Count,
        1 => histogram.ZeroCount,
        2 => histogram.Sum,
        _ when field - 3 < histogram.PositiveBuckets.Length => histogram.PositiveBuckets[field - 3],
        _ => histogram.NegativeBuckets[field - 3 - histogram.PositiveBuckets.Length],
    };

    private static long DifferenceAt(FloatHistogram histogram, int bucket)
    {
        var buckets = histogram.PositiveBuckets;
        if (bucket >= buckets.Length)
        {
            bucket -= buckets.Length;
            buckets = histogram.NegativeBuckets;
        }

        return (long)buckets[bucket] - (bucket == 0 ? 0 : (long)buckets[bucket - 1]);
    }

    private void WriteLayout(FloatHistogram histogram)
    {
        WriteZeroThreshold(histogram.ZeroThreshold);
        bits.VarbitInt(histogram.Schema);
        WriteSpans(histogram.PositiveSpans);
        WriteSpans(histogram.NegativeSpans);
        if (histogram.UsesCustomBuckets)
        {
            bits.VarbitUInt((ulong)histogram.CustomValues.Length);
            foreach (var bound in histogram.CustomValues)
            {
                WriteBound(bound);
            }
        }
    }

    // Powers of two, which thresholds mostly are, take one byte.
    private void WriteZeroThreshold(double threshold)
    {
        if (threshold == 0)
        {
            bits.Bits(0, 8);
            return;
        }

        // ILogB(2^n) is n, where Go's Frexp says 0.5 and n + 1.
        var exponent = double.IsFinite(threshold) ? Math.ILogB(threshold) + 1 : int.MaxValue;
        if (threshold < 0 || exponent is < -242 or > 11 || Math.ScaleB(0.5, exponent) != threshold)
        {
            bits.Bits(255, 8);
            bits.Double(threshold);
            return;
        }

        bits.Bits((ulong)(exponent + 243), 8);
    }

    private void WriteSpans(HistogramSpan[] spans)
    {
        bits.VarbitUInt((ulong)spans.Length);
        foreach (var span in spans)
        {
            bits.VarbitUInt(span.Length);
            bits.VarbitInt(span.Offset);
        }
    }

    // Bounds that people choose are short decimals: thousandths, plus one because zero announces a plain float.
    private void WriteBound(double bound)
    {
        const double MostThousandths = 33_554_430;
        var thousandths = bound * 1000;
        var rounded = Math.Round(thousandths, MidpointRounding.AwayFromZero);
        if (!(thousandths >= 0 && thousandths <= MostThousandths) || rounded / 1000 != bound)
        {
            bits.Bit(false);
            bits.Double(bound);
            return;
        }

        bits.VarbitUInt((ulong)rounded + 1);
    }

    private struct Field
    {
        public const int None = 255;
        public double Float;
        public long Integer;
        public int Leading;
        private long delta;
        private int trailing;

        public void WriteInteger(HistogramBitWriter to, long value)
        {
            var step = unchecked(value - Integer);
            to.VarbitInt(unchecked(step - delta));
            delta = step;
            Integer = value;
        }

        public void WriteFloat(HistogramBitWriter to, double value)
        {
            var xor = BitConverter.DoubleToUInt64Bits(value) ^ BitConverter.DoubleToUInt64Bits(Float);
            Float = value;
            to.Bit(xor != 0);
            if (xor == 0)
            {
                return;
            }

            var newLeading = Math.Min(BitOperations.LeadingZeroCount(xor), 31);
            var newTrailing = BitOperations.TrailingZeroCount(xor);
            if (Leading != None && newLeading >= Leading && newTrailing >= trailing)
            {
                to.Bit(false);
                to.Bits(xor >> trailing, 64 - Leading - trailing);
                return;
            }

            Leading = newLeading;
            trailing = newTrailing;
            var significant = 64 - newLeading - newTrailing;
            to.Bit(true);
            to.Bits((ulong)newLeading, 5);
            to.Bits((ulong)significant & 63, 6);
            to.Bits(xor >> newTrailing, significant);
        }
    }
}
