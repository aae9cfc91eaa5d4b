using System.Diagnostics;
using Metrics.Model;
using Metrics.PromQL;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Gateway.FrontEnd;

/// <summary>Puts the answer of a range query together from parts, which are added in the order of time.</summary>
/// <param name="maxSamples">The most points that the answer may hold.</param>
/// <param name="bounds">The bounds of the query, for the message.</param>
/// <param name="memory">Where its memory is counted; the answer's from then on.</param>
internal sealed class ResultMerge(long maxSamples, QueryBounds bounds, MemoryLease memory) : IDisposable
{
    private readonly Dictionary<Labels, SampleBuffer> series = [];
    private readonly QueryStatistics statistics = new();

    /// <summary>Adds what was evaluated.</summary>
    /// <exception cref="QueryException">The answer has too many points.</exception>
    public void Add(QueryResult part)
    {
        memory.Take(part.EstimatedBytes);
        foreach (var (labels, points) in part.Series)
        {
            if (!series.TryGetValue(labels, out var into))
            {
                series.Add(labels, into = new SampleBuffer(points.Count));
            }

            into.AddAllFrom(points);
        }

        statistics.Add(part.Statistics);
        Check();
    }

    /// <summary>Adds some steps of what was cached. Their samples count as if they had been looked at now.</summary>
    /// <exception cref="QueryException">The answer has too many points.</exception>
    public void Add(CachedExtent cached, TimeGridPart steps)
    {
        memory.Take(cached.Bytes);
        cached.AppendTo(series, steps.StartMs, steps.EndMs);
        statistics.TotalQueryableSamples += cached.SamplesOf(steps.StartMs, steps.EndMs);
        Check();
    }

    /// <summary>The whole, in the order of labels, cut off at the query's limit. It owns the columns.</summary>
    public QueryResult Finish(QueryRequest query)
    {
        var all = new List<ResultSeries>(series.Count);
        foreach (var (labels, points) in series)
        {
            if (points.Count > 0)
            {
                all.Add(new ResultSeries(labels, points));
            }
            else
            {
                points.Dispose();
            }
        }

        var from = Stopwatch.GetTimestamp();
        all.Sort(static (a, b) => a.Labels.CompareTo(b.Labels));
        statistics.Sorting += Stopwatch.GetElapsedTime(from);
        series.Clear();
        return Limited(new QueryResult { Type = ValueType.Matrix, Series = all, TimeMs = query.Grid.StartMs, Statistics = statistics, Memory = memory }, query.Limit);
    }

    /// <summary>An answer cut off at so many series, with the engine's warning; the answer itself when it has no more, or for limit 0.</summary>
    public static QueryResult Limited(QueryResult answer, int limit)
    {
        if (limit <= 0 || answer.Series.Count <= limit || answer.Type == ValueType.Scalar)
        {
            return answer;
        }

        foreach (var cut in answer.Series.Skip(limit))
        {
            cut.Points.Dispose();
        }

        return new QueryResult
        {
            Type = answer.Type,
            Series = [.. answer.Series.Take(limit)],
            TimeMs = answer.TimeMs,
            Warnings = [.. answer.Warnings, "results truncated due to limit"],
            Infos = answer.Infos,
            Statistics = answer.Statistics,
            Analysis = answer.Analysis,
            Memory = answer.Memory,
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var points in series.Values)
        {
            points.Dispose();
        }

        series.Clear();
        memory.Dispose();
    }

    private void Check()
    {
        var points = 0L;
        foreach (var buffer in series.Values)
        {
            points += buffer.Count;
        }

        statistics.PeakSamples = Math.Max(statistics.PeakSamples, points);
        if (points > maxSamples)
        {
            throw bounds.TooManySamples(maxSamples);
        }
    }
}
