using Metrics.Model;

namespace Metrics.Gateway.FrontEnd;

/// <summary>The points of one series in a <see cref="CachedExtent"/>, as columns.</summary>
/// <param name="Labels">Its labels.</param>
/// <param name="Steps">The steps of the extent that have a point, ascending; null for all from the first on.</param>
/// <param name="Values">The floats, one for each point.</param>
/// <param name="Histograms">The histograms, one entry for each point, null where it is a float; null when there are none. They are shared and don't change.</param>
internal sealed record CachedSeries(Labels Labels, int[]? Steps, double[] Values, FloatHistogram?[]? Histograms)
{
    // Object headers, references and the array headers of one series.
    private const int FixedBytes = 160;

    /// <summary>The memory it takes, about.</summary>
    public long Bytes
    {
        get
        {
            var bytes = FixedBytes + Labels.Encoded.Length + ((long)Values.Length * sizeof(double)) + ((long)(Steps?.Length ?? 0) * sizeof(int));
            foreach (var histogram in Histograms ?? [])
            {
                bytes += sizeof(long) + (histogram is null ? 0 : Size(histogram));
            }

            return bytes;
        }
    }

    /// <summary>The points of a series of an answer whose first step is at a time, as far as they lie in the first so many steps; null when none does.</summary>
    public static CachedSeries? Of(Labels labels, SampleBuffer points, TimeGridPart part)
    {
        var count = points.Count;
        while (count > 0 && points.Times[count - 1] > part.EndMs)
        {
            count--;
        }

        if (count == 0)
        {
            return null;
        }

        var steps = new int[count];
        var isDense = true;
        for (var i = 0; i < count; i++)
        {
            steps[i] = (int)((points.Times[i] - part.StartMs) / part.StepMs);
            isDense &= steps[i] == i;
        }

        return new CachedSeries(labels, isDense ? null : steps, points.Values[..count].ToArray(), points.HasHistograms ? points.Histograms[..count].ToArray() : null);
    }

    /// <summary>Appends the points in a range of times, both ends included, to a buffer that ends before it.</summary>
    public void AppendTo(SampleBuffer into, TimeGridPart extent, long fromMs, long toMs)
    {
        for (var i = 0; i < Values.Length; i++)
        {
            var timeMs = extent.StartMs + ((Steps is null ? i : Steps[i]) * extent.StepMs);
            if (timeMs < fromMs)
            {
                continue;
            }

            if (timeMs > toMs)
            {
                return;
            }

            if (Histograms?[i] is { } histogram)
            {
                into.Add(timeMs, histogram);
            }
            else
            {
                into.Add(timeMs, Values[i]);
            }
        }
    }

    private static long Size(FloatHistogram histogram) =>
        200 + (8L * (histogram.PositiveBuckets.Length + histogram.NegativeBuckets.Length + histogram.CustomValues.Length + histogram.PositiveSpans.Length + histogram.NegativeSpans.Length));
}
