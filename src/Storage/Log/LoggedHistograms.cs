using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The native histograms of a log record; see FORMAT.md. Plain rather than small: a histogram is logged once and replayed once.</summary>
internal static class LoggedHistograms
{
    private const byte HasBounds = 4;
    private const byte HintMask = 3;

    /// <summary>Room enough for <see cref="Write"/>.</summary>
    public static int MaxBytes(List<(int Sample, FloatHistogram Histogram)> histograms)
    {
        var most = histograms.Count == 0 ? 0 : Varint.MaxBytes;
        foreach (var (_, histogram) in histograms)
        {
            var spans = histogram.PositiveSpans.Length + histogram.NegativeSpans.Length;
            var doubles = 4 + histogram.PositiveBuckets.Length + histogram.NegativeBuckets.Length + histogram.CustomValues.Length;
            most += 1 + (7 * Varint.MaxBytes) + (spans * 2 * Varint.MaxBytes) + (doubles * sizeof(double));
        }

        return most;
    }

    /// <summary>Writes the histograms; gives the number of bytes.</summary>
    public static int Write(Span<byte> to, List<(int Sample, FloatHistogram Histogram)> histograms)
    {
        var at = Varint.Write(to, (ulong)histograms.Count);
        var before = 0;
        foreach (var (sample, histogram) in histograms)
        {
            at += Varint.Write(to[at..], (ulong)(sample - before));
            before = sample;
            to[at++] = (byte)(((int)histogram.CounterResetHint & HintMask) | (histogram.CustomValues.Length > 0 ? HasBounds : 0));
            at += Varint.WriteSigned(to[at..], histogram.Schema);
            at += WriteDoubles(to[at..], [histogram.ZeroThreshold, histogram.Count, histogram.ZeroCount, histogram.Sum]);
            at += WriteSpans(to[at..], histogram.PositiveSpans);
            at += WriteSpans(to[at..], histogram.NegativeSpans);
            at += WriteCounted(to[at..], histogram.PositiveBuckets);
            at += WriteCounted(to[at..], histogram.NegativeBuckets);
            at += histogram.CustomValues.Length > 0 ? WriteCounted(to[at..], histogram.CustomValues) : 0;
        }

        return at;
    }

    /// <summary>Reads the histograms and steps past them.</summary>
    /// <exception cref="FormatException">The bytes end inside one.</exception>
    public static List<(int Sample, FloatHistogram Histogram)> Read(ref ReadOnlySpan<byte> rest)
    {
        var count = Count(ref rest, 1 + (4 * sizeof(double)));
        var histograms = new List<(int, FloatHistogram)>(count);
        var sample = 0;
        for (; count > 0; count--)
        {
            sample = checked(sample + (int)Varint.Read(ref rest));
            var flags = rest[0];
            rest = rest[1..];
            var histogram = new FloatHistogram
            {
                CounterResetHint = (CounterResetHint)(flags & HintMask),
                Schema = checked((int)Varint.ReadSigned(ref rest)),
                ZeroThreshold = ReadDouble(ref rest),
                Count = ReadDouble(ref rest),
                ZeroCount = ReadDouble(ref rest),
                Sum = ReadDouble(ref rest),
                PositiveSpans = ReadSpans(ref rest),
                NegativeSpans = ReadSpans(ref rest),
                PositiveBuckets = ReadCounted(ref rest),
                NegativeBuckets = ReadCounted(ref rest),
            };
            if ((flags & HasBounds) != 0)
            {
                histogram.CustomValues = ReadCounted(ref rest);
            }

            histograms.Add((sample, histogram));
        }

        return histograms;
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

    private static double ReadDouble(ref ReadOnlySpan<byte> rest)
    {
        var value = BinaryPrimitives.ReadDoubleLittleEndian(rest);
        rest = rest[sizeof(double)..];
        return value;
    }

    private static double[] ReadCounted(ref ReadOnlySpan<byte> rest)
    {
        var values = new double[Count(ref rest, sizeof(double))];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = ReadDouble(ref rest);
        }

        return values;
    }

    private static HistogramSpan[] ReadSpans(ref ReadOnlySpan<byte> rest)
    {
        var spans = new HistogramSpan[Count(ref rest, 2)];
        for (var i = 0; i < spans.Length; i++)
        {
            spans[i] = new HistogramSpan(checked((int)Varint.ReadSigned(ref rest)), checked((uint)Varint.Read(ref rest)));
        }

        return spans;
    }

    private static int Count(ref ReadOnlySpan<byte> rest, int leastBytesEach)
    {
        var count = Varint.Read(ref rest);
        return count <= (ulong)(rest.Length / leastBytesEach) ? (int)count : throw new FormatException($"{count} items can't lie in {rest.Length} bytes");
    }
}
