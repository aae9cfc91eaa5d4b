using System.Buffers.Binary;

namespace Metrics.Model;

/// <summary>A native histogram as bytes, bit for bit: in log records and in messages between nodes, so a persisted format (Storage/Log/FORMAT.md). Plain rather than small.</summary>
public static class HistogramBytes
{
    /// <summary>The fewest bytes that a histogram takes.</summary>
    public const int LeastBytes = 1 + 1 + (4 * sizeof(double)) + 4;

    private const byte HasBounds = 4;
    private const byte HintMask = 3;

    /// <summary>Room enough for <see cref="Write(Span{byte}, FloatHistogram)"/>.</summary>
    public static int MaxBytes(FloatHistogram histogram)
    {
        var spans = histogram.PositiveSpans.Length + histogram.NegativeSpans.Length;
        var doubles = 4 + histogram.PositiveBuckets.Length + histogram.NegativeBuckets.Length + histogram.CustomValues.Length;
        return 1 + (7 * Varint.MaxBytes) + (spans * 2 * Varint.MaxBytes) + (doubles * sizeof(double));
    }

    /// <summary>Writes a histogram; gives the number of bytes.</summary>
    public static int Write(Span<byte> to, FloatHistogram histogram)
    {
        to[0] = (byte)(((int)histogram.CounterResetHint & HintMask) | (histogram.CustomValues.Length > 0 ? HasBounds : 0));
        var at = 1;
        at += Varint.WriteSigned(to[at..], histogram.Schema);
        at += WriteDoubles(to[at..], [histogram.ZeroThreshold, histogram.Count, histogram.ZeroCount, histogram.Sum]);
        at += WriteSpans(to[at..], histogram.PositiveSpans);
        at += WriteSpans(to[at..], histogram.NegativeSpans);
        at += WriteCounted(to[at..], histogram.PositiveBuckets);
        at += WriteCounted(to[at..], histogram.NegativeBuckets);
        return at + (histogram.CustomValues.Length > 0 ? WriteCounted(to[at..], histogram.CustomValues) : 0);
    }

    /// <summary>Writes a histogram.</summary>
    public static void Write(ByteWriter to, FloatHistogram histogram) => to.Advance(Write(to.Room(MaxBytes(histogram)), histogram));

    /// <summary>Reads a histogram and steps past it. That buckets are as many as the spans say is checked, what they mean is not.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static FloatHistogram Read(ref ByteReader from)
    {
        var flags = from.Byte();
        var histogram = new FloatHistogram
        {
            CounterResetHint = (CounterResetHint)(flags & HintMask),
            Schema = from.Int32(),
            ZeroThreshold = from.Double(),
            Count = from.Double(),
            ZeroCount = from.Double(),
            Sum = from.Double(),
            PositiveSpans = ReadSpans(ref from),
            NegativeSpans = ReadSpans(ref from),
            PositiveBuckets = ReadCounted(ref from),
            NegativeBuckets = ReadCounted(ref from),
            CustomValues = (flags & HasBounds) != 0 ? ReadCounted(ref from) : [],
        };
        return BucketsOf(histogram.PositiveSpans) == histogram.PositiveBuckets.Length && BucketsOf(histogram.NegativeSpans) == histogram.NegativeBuckets.Length
            ? histogram
            : throw new InvalidDataException("a histogram has not as many buckets as its spans say");
    }

    private static long BucketsOf(HistogramSpan[] spans)
    {
        long count = 0;
        foreach (var span in spans)
        {
            count += span.Length;
        }

        return count;
    }

    private static int WriteDoubles(Span<byte> to, ReadOnlySpan<double> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(to[(i * sizeof(double))..], values[i]);
        }

        return values.Length * sizeof(double);
    }

    private static int WriteCounted(Span<byte> to, ReadOnlySpan<double> values)
    {
        var at = Varint.Write(to, (ulong)values.Length);
        return at + WriteDoubles(to[at..], values);
    }

    private static int WriteSpans(Span<byte> to, ReadOnlySpan<HistogramSpan> spans)
    {
        var at = Varint.Write(to, (ulong)spans.Length);
        foreach (var span in spans)
        {
            at += Varint.WriteSigned(to[at..], span.Offset);
            at += Varint.Write(to[at..], span.Length);
        }

        return at;
    }

    private static double[] ReadCounted(ref ByteReader from)
    {
        var values = new double[from.Count(sizeof(double))];
        from.Doubles(values);
        return values;
    }

    private static HistogramSpan[] ReadSpans(ref ByteReader from)
    {
        var spans = new HistogramSpan[from.Count(2)];
        for (var i = 0; i < spans.Length; i++)
        {
            spans[i] = new HistogramSpan(from.Int32(), from.UVarint() is <= uint.MaxValue and var length ? (uint)length : throw new InvalidDataException("a histogram's span exceeds 32 bits"));
        }

        return spans;
    }
}
