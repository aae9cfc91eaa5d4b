using Metrics.Model;

namespace Metrics.Storage;

/// <summary>What all histograms of a chunk share: written once, before the first.</summary>
/// <remarks>tsdb/chunkenc/histogram_meta.go of Prometheus.</remarks>
internal sealed class HistogramLayout
{
    private const int LowestSchema = -9;
    private const int HighestSchema = 52;

    public required int Schema { get; init; }

    public required double ZeroThreshold { get; init; }

    public required HistogramSpan[] PositiveSpans { get; init; }

    public required HistogramSpan[] NegativeSpans { get; init; }

    public required double[] CustomValues { get; init; }

    public required int PositiveBuckets { get; init; }

    public required int NegativeBuckets { get; init; }

    /// <summary>Reads a layout; its declared sizes are checked against what the chunk can hold before anything is allocated.</summary>
    /// <param name="bits">The chunk.</param>
    /// <param name="bitsPerBucket">The least that a bucket of the first sample takes.</param>
    public static HistogramLayout Read(scoped ref HistogramBitReader bits, int bitsPerBucket)
    {
        var threshold = ReadZeroThreshold(ref bits);
        var schema = bits.VarbitInt();
        if (schema is not (>= LowestSchema and <= HighestSchema) and not FloatHistogram.CustomBucketsSchema)
        {
            throw new InvalidDataException($"histogram schema {schema} is unknown");
        }

        var positive = ReadSpans(ref bits);
        var negative = ReadSpans(ref bits);
        var custom = schema == FloatHistogram.CustomBucketsSchema ? ReadBounds(ref bits) : [];
        return new HistogramLayout
        {
            Schema = (int)schema,
            ZeroThreshold = threshold,
            PositiveSpans = positive,
            NegativeSpans = negative,
            CustomValues = custom,
            PositiveBuckets = CountBuckets(positive, bits.Remaining / bitsPerBucket),
            NegativeBuckets = CountBuckets(negative, bits.Remaining / bitsPerBucket),
        };
    }

    /// <summary>A histogram of this layout without counts.</summary>
    public FloatHistogram NewHistogram(byte header, int position) => new()
    {
        CounterResetHint = (header & 0xC0) == 0xC0
            ? CounterResetHint.Gauge
            : position > 0 ? CounterResetHint.NotReset : CounterResetHint.Unknown, // The chunk before may be gone, so the first one's header proves nothing.
        Schema = Schema,
        ZeroThreshold = ZeroThreshold,
        PositiveSpans = PositiveSpans,
        NegativeSpans = NegativeSpans,
        CustomValues = CustomValues,
    };

    private static double ReadZeroThreshold(scoped ref HistogramBitReader bits) => bits.Bits(8) switch
    {
        0 => 0,
        255 => BitConverter.UInt64BitsToDouble(bits.Bits(64)),
        var exponent => Math.ScaleB(0.5, (int)exponent - 243),
    };

    private static HistogramSpan[] ReadSpans(scoped ref HistogramBitReader bits)
    {
        var spans = new HistogramSpan[ReadCount(ref bits, 2)];
        for (var i = 0; i < spans.Length; i++)
        {
            var length = bits.VarbitUInt();
            var offset = bits.VarbitInt();
            if (length > uint.MaxValue || offset != (int)offset)
            {
                throw new InvalidDataException($"a histogram span of {length} buckets at offset {offset} exceeds 32 bits");
            }

            spans[i] = new HistogramSpan((int)offset, (uint)length);
        }

        return spans;
    }

    private static double[] ReadBounds(scoped ref HistogramBitReader bits)
    {
        var bounds = new double[ReadCount(ref bits, 5)];
        for (var i = 0; i < bounds.Length; i++)
        {
            var thousandths = bits.VarbitUInt();
            bounds[i] = thousandths == 0 ? BitConverter.UInt64BitsToDouble(bits.Bits(64)) : (thousandths - 1) / 1000.0;
        }

        return bounds;
    }

    private static int ReadCount(scoped ref HistogramBitReader bits, int bitsEach)
    {
        var count = bits.VarbitUInt();
        if (count > (ulong)(bits.Remaining / bitsEach))
        {
            throw new InvalidDataException($"a histogram's count of {count} exceeds what its chunk can hold");
        }

        return (int)count;
    }

    private static int CountBuckets(HistogramSpan[] spans, long limit)
    {
        long count = 0;
        foreach (var span in spans)
        {
            count += span.Length;
            if (count > limit)
            {
                throw new InvalidDataException($"{count} histogram buckets exceed what their chunk can hold");
            }
        }

        return (int)count;
    }
}
