using System.Runtime.InteropServices;
using Metrics.Model;
using Metrics.PromQL;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Gateway.FrontEnd;

/// <summary>Makes the answer to an instant query of what its parts came to.</summary>
internal static class PartialPoints
{
    /// <summary>Joins the points of each series over all parts, in the order of labels; null where histograms would have to be added or compared.</summary>
    /// <param name="parts">Answers of parts, in the order of time; they stay the caller's.</param>
    /// <param name="join">How.</param>
    /// <param name="query">The whole query.</param>
    /// <param name="memory">Where the answer's memory is counted.</param>
    /// <exception cref="QueryException">There is no memory for it.</exception>
    public static QueryResult? Join(IReadOnlyList<QueryResult> parts, PartJoin join, QueryRequest query, QueryMemory memory)
    {
        var found = new Dictionary<Labels, Cell>();
        var statistics = new QueryStatistics();
        foreach (var part in parts)
        {
            foreach (var (labels, points) in part.Series)
            {
                ref var cell = ref CollectionsMarshal.GetValueRefOrAddDefault(found, labels, out _);
                for (var i = 0; i < points.Count; i++)
                {
                    if (!cell.TryAdd(points, i, join))
                    {
                        return null;
                    }
                }
            }

            statistics.Add(part.Statistics);
        }

        var lease = memory.Open(query.Bounds);
        try
        {
            lease.Take(found.Count * (long)(MemoryLease.SeriesBytes + MemoryLease.SampleBytes));
        }
        catch
        {
            lease.Dispose();
            throw;
        }

        var sorted = found.Keys.ToArray();
        Array.Sort(sorted);
        return new QueryResult
        {
            Type = ValueType.Vector,
            Series = [.. sorted.Select(labels => new ResultSeries(labels, found[labels].ToPoint(query.Grid.StartMs)))],
            TimeMs = query.Grid.StartMs,
            Statistics = statistics,
            Memory = lease,
        };
    }

    /// <summary>What one series has come to so far.</summary>
    private struct Cell
    {
        private bool isSet;
        private double value;
        private double rest;
        private FloatHistogram? histogram;

        public bool TryAdd(SampleBuffer points, int index, PartJoin join)
        {
            var next = points.Values[index];
            var nextHistogram = points.HasHistograms ? points.Histograms[index] : null;
            if (join == PartJoin.Last)
            {
                (value, histogram) = (next, nextHistogram);
            }
            else if (nextHistogram is not null)
            {
                return false;
            }
            else if (!isSet)
            {
                value = next;
            }
            else if (join == PartJoin.Sum)
            {
                Sum(next);
            }
            else if (double.IsNaN(value) || (join == PartJoin.Max ? next > value : next < value))
            {
                value = next;
            }

            isSet = true;
            return true;
        }

        public readonly SampleBuffer ToPoint(long timeMs)
        {
            var point = new SampleBuffer(capacity: 1);
            if (histogram is not null)
            {
                point.Add(timeMs, histogram);
            }
            else
            {
                point.Add(timeMs, value + rest);
            }

            return point;
        }

        // Neumaier's summation, as the engine's own; what isn't finite has no rest.
        private void Sum(double next)
        {
            var sum = value + next;
            rest = double.IsInfinity(sum) ? 0 : rest + (Math.Abs(value) >= Math.Abs(next) ? value - sum + next : next - sum + value);
            value = sum;
        }
    }
}
