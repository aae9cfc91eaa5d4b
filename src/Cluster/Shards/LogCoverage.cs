using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Which records of a log hold which times, coarsely: what blocks cover need not be kept.</summary>
internal sealed class LogCoverage
{
    private const int RecordsPerRun = 64;
    private readonly Queue<Run> runs = new();
    private Run open;
    private int records;

    /// <summary>Notes a record and the newest of its samples.</summary>
    public void Logged(long record, long newestMs)
    {
        if (records == 0)
        {
            open = new(record, record, newestMs);
        }

        open = open with { LastRecord = record, NewestMs = Math.Max(open.NewestMs, newestMs) };
        if (++records == RecordsPerRun)
        {
            runs.Enqueue(open);
            records = 0;
        }
    }

    /// <summary>Notes records that were not looked at, and a time that none of their samples is later than. Before any other.</summary>
    public void Skipped(long firstRecord, long lastRecord, long newestMs) => runs.Enqueue(new(firstRecord, lastRecord, newestMs));

    /// <summary>The first record that may hold a sample that a cut does not cover; <paramref name="next"/> when none does.</summary>
    public long FirstNeeded(LogCut cut, long next)
    {
        while (runs.TryPeek(out var run))
        {
            if (!run.IsCovered(cut))
            {
                return run.FirstRecord;
            }

            runs.Dequeue();
        }

        if (records > 0 && !open.IsCovered(cut))
        {
            return open.FirstRecord;
        }

        records = 0;
        return next;
    }

    private readonly record struct Run(long FirstRecord, long LastRecord, long NewestMs)
    {
        public bool IsCovered(LogCut cut) => LastRecord < cut.FirstRecord && NewestMs < cut.EndMs;
    }
}
