using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.FrontEnd;

/// <summary>The answer of a query for steps that follow one another. Immutable.</summary>
/// <param name="Steps">Which steps.</param>
/// <param name="Series">Every series that has a point at one of them.</param>
/// <param name="Samples">The samples that were looked at to compute it.</param>
/// <param name="MadeAt">When it was computed.</param>
internal sealed record CachedExtent(TimeGridPart Steps, IReadOnlyList<CachedSeries> Series, long Samples, DateTimeOffset MadeAt)
{
    /// <summary>The memory it takes, about.</summary>
    public long Bytes { get; } = 120 + Series.Sum(s => s.Bytes);

    /// <summary>Keeps what an answer says about its first steps, up to the end of a part that begins where the answer does.</summary>
    public static CachedExtent Of(QueryResult answer, TimeGridPart answered, TimeGridPart kept, DateTimeOffset now)
    {
        var series = new List<CachedSeries>(answer.Series.Count);
        foreach (var (labels, points) in answer.Series)
        {
            if (CachedSeries.Of(labels, points, kept) is { } some)
            {
                series.Add(some);
            }
        }

        return new CachedExtent(kept, series, Share(answer.Statistics.TotalQueryableSamples, kept.Count, answered.Count), now);
    }

    /// <summary>One extent of several that follow one another without a gap; where they overlap, the earlier one counts.</summary>
    public static CachedExtent Joined(IReadOnlyList<CachedExtent> extents)
    {
        var whole = extents[0].Steps with { EndMs = extents.Max(e => e.Steps.EndMs) };
        var buffers = new Dictionary<Labels, SampleBuffer>();
        var samples = 0L;
        var reached = whole.StartMs - whole.StepMs;
        try
        {
            foreach (var extent in extents)
            {
                var from = reached + whole.StepMs;
                if (extent.Steps.EndMs < from)
                {
                    continue;
                }

                extent.AppendTo(buffers, from, extent.Steps.EndMs);
                samples += extent.SamplesOf(from, extent.Steps.EndMs);
                reached = extent.Steps.EndMs;
            }

            var series = new List<CachedSeries>(buffers.Count);
            foreach (var (labels, points) in buffers)
            {
                if (CachedSeries.Of(labels, points, whole) is { } some)
                {
                    series.Add(some);
                }
            }

            return new CachedExtent(whole, series, samples, extents.Min(e => e.MadeAt));
        }
        finally
        {
            foreach (var buffer in buffers.Values)
            {
                buffer.Dispose();
            }
        }
    }

    /// <summary>Appends the points between two steps, both included, to buffers that end before them; a series that is new there gets one.</summary>
    public void AppendTo(Dictionary<Labels, SampleBuffer> into, long fromMs, long toMs)
    {
        foreach (var series in Series)
        {
            if (!into.TryGetValue(series.Labels, out var points))
            {
                into.Add(series.Labels, points = new SampleBuffer(series.Values.Length));
            }

            series.AppendTo(points, Steps, fromMs, toMs);
        }
    }

    /// <summary>The samples that steps between two of its own cost, by their share.</summary>
    public long SamplesOf(long fromMs, long toMs) => Share(Samples, ((toMs - fromMs) / Steps.StepMs) + 1, Steps.Count);

    private static long Share(long samples, long steps, long of) => (long)((Int128)samples * steps / of);
}
