using Metrics.Model;
using Metrics.PromQL;
using Metrics.Rules.Groups;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Rules;

/// <summary>Answers range queries for a backfill.</summary>
public interface IRuleRangeQuery
{
    /// <summary>Evaluates a range query; the caller disposes the answer.</summary>
    /// <exception cref="QueryException">It failed.</exception>
    ValueTask<QueryResult> RangeAsync(string query, TimeGrid grid, CancellationToken cancellation);
}

/// <summary>What to backfill.</summary>
/// <param name="StartMs">The first instant, Unix milliseconds.</param>
/// <param name="EndMs">The last one.</param>
/// <param name="DefaultIntervalMs">The interval of groups that name none.</param>
public sealed record BackfillRange(long StartMs, long EndMs, long DefaultIntervalMs);

/// <summary><c>rules backfill</c>: what recording rules would have recorded in the past, as <c>promtool tsdb create-blocks-from rules</c> does.</summary>
/// <remarks>
/// Rules are evaluated at the ticks their group would have had. Alerts are left out. As with promtool, a rule sees the results of another only after a run of its own: run
/// again for rules that build upon others.
/// </remarks>
public static class RuleBackfill
{
    /// <summary>A query covers this much at most, so that neither it nor what is kept of it is large; aligned, so that a range falls into whole blocks.</summary>
    private const long ChunkMs = 2 * 3600 * 1000;

    private const int SamplesPerAppend = 5000;

    /// <summary>Backfills groups.</summary>
    /// <param name="groups">The groups; alerts in them are skipped.</param>
    /// <param name="range">From when to when.</param>
    /// <param name="query">Reads.</param>
    /// <param name="appender">Takes the samples: per series ascending in time, all rules of two hours before the next two hours.</param>
    /// <param name="afterChunk">Called when all rules of a chunk of time are done; a place to flush.</param>
    /// <param name="cancellation">Gives up; what was appended stays.</param>
    /// <returns>The number of samples appended.</returns>
    /// <exception cref="QueryException">A query failed.</exception>
    /// <exception cref="IOException">Samples could not be stored.</exception>
    public static async Task<long> RunAsync(
        IReadOnlyList<PlacedGroup> groups, BackfillRange range, IRuleRangeQuery query, IRuleAppender appender, Func<TimeRange, ValueTask>? afterChunk, CancellationToken cancellation)
    {
        var rules = new List<(RecordingRule Rule, GroupSchedule Schedule)>();
        foreach (var placed in groups)
        {
            var schedule = new GroupSchedule(placed.File, placed.Spec.Name, placed.Spec.IntervalMs > 0 ? placed.Spec.IntervalMs : range.DefaultIntervalMs);
            rules.AddRange(placed.Spec.Rules.Where(static r => !r.IsAlert).Select(r => (new RecordingRule(r, placed.Spec.Labels), schedule)));
        }

        long samples = 0;
        for (var chunkMs = range.StartMs - (range.StartMs % ChunkMs); chunkMs <= range.EndMs; chunkMs += ChunkMs)
        {
            var chunk = new TimeRange(Math.Max(chunkMs, range.StartMs), Math.Min(chunkMs + ChunkMs - 1, range.EndMs));
            foreach (var (rule, schedule) in rules)
            {
                var fromMs = schedule.TickAtOrAfter(chunk.MinMs);
                if (fromMs <= chunk.MaxMs)
                {
                    using var result = await query.RangeAsync(rule.QueryText, new TimeGrid(fromMs, chunk.MaxMs, schedule.IntervalMs), cancellation);
                    samples += await AppendAsync(rule, result, appender, cancellation);
                }
            }

            if (afterChunk is not null)
            {
                await afterChunk(chunk);
            }
        }

        return samples;
    }

    private static async Task<long> AppendAsync(RecordingRule rule, QueryResult result, IRuleAppender appender, CancellationToken cancellation)
    {
        if (result.Type != ValueType.Matrix)
        {
            throw new RuleQueryException($"rule result is wrong type {result.Type.ToString().ToLowerInvariant()}");
        }

        var builder = new LabelsBuilder();
        var seen = new HashSet<Labels>();
        var writes = new List<RuleWrite>(SamplesPerAppend);
        long samples = 0;
        foreach (var (labels, points) in result.Series)
        {
            var series = rule.SeriesOf(builder, labels);
            if (!seen.Add(series))
            {
                throw new RuleQueryException("vector contains metrics with the same labelset after applying rule labels");
            }

            for (var i = 0; i < points.Count; i++)
            {
                writes.Add(new RuleWrite(series, points.Times[i], points.Values[i], points.HasHistograms ? points.Histograms[i] : null));
                samples++;
                if (writes.Count == SamplesPerAppend)
                {
                    await FlushAsync(rule, writes, appender, cancellation);
                }
            }
        }

        await FlushAsync(rule, writes, appender, cancellation);
        return samples;
    }

    private static async Task FlushAsync(RecordingRule rule, List<RuleWrite> writes, IRuleAppender appender, CancellationToken cancellation)
    {
        if (writes.Count == 0)
        {
            return;
        }

        var answer = await appender.AppendAsync(writes, cancellation);
        if (answer.Rejected.Count > 0)
        {
            throw new IOException($"{rule.Name}: {answer.Rejected.Count} of {writes.Count} samples were not taken: {answer.Reason}");
        }

        writes.Clear();
    }
}
