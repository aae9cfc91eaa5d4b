using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The native histograms of a log record; see FORMAT.md.</summary>
internal static class LoggedHistograms
{
    /// <summary>Room enough for <see cref="Write"/>.</summary>
    public static int MaxBytes(List<(int Sample, FloatHistogram Histogram)> histograms)
    {
        var most = histograms.Count == 0 ? 0 : Varint.MaxBytes;
        foreach (var (_, histogram) in histograms)
        {
            most += Varint.MaxBytes + HistogramBytes.MaxBytes(histogram);
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
            at += HistogramBytes.Write(to[at..], histogram);
        }

        return at;
    }

    /// <summary>Reads the histograms and steps past them.</summary>
    /// <exception cref="InvalidDataException">The bytes end inside one.</exception>
    public static List<(int Sample, FloatHistogram Histogram)> Read(ref ReadOnlySpan<byte> rest)
    {
        var from = new ByteReader(rest);
        var count = from.Count(1 + HistogramBytes.LeastBytes);
        var histograms = new List<(int, FloatHistogram)>(count);
        var sample = 0;
        for (; count > 0; count--)
        {
            sample = checked(sample + from.UpTo(int.MaxValue));
            histograms.Add((sample, HistogramBytes.Read(ref from)));
        }

        rest = rest[^from.Remaining..];
        return histograms;
    }
}
