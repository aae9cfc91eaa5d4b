using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Brings the records of a log back into a head, without what blocks cover.</summary>
internal sealed class LogReplay(Head head, LogCoverage coverage, IReadOnlyList<LogCut> cuts, ExemplarRing exemplars, long spillBytes, ReplayMeter meter, Action<string> report, CancellationToken cancellation) : ILogVisitor, IWriteRecordVisitor
{
    private readonly Dictionary<uint, uint> renamed = [];
    private long newestMs;
    private long coveredBeforeMs;
    private long orphans;

    public void Visit(long number, ReadOnlySpan<byte> payload, long position)
    {
        cancellation.ThrowIfCancellationRequested();
        newestMs = long.MinValue;
        coveredBeforeMs = cuts.Where(c => number < c.FirstRecord).Select(c => c.EndMs).DefaultIfEmpty(long.MinValue).Max();
        WriteRecordReader.Read(payload, this);
        if (newestMs != long.MinValue)
        {
            coverage.Logged(number, newestMs);
        }

        // Replay must not need more memory than running did.
        if (head.UnspilledBytes >= spillBytes)
        {
            ShardStore.Spill(head, static work => work());
        }

        Bytes += payload.Length;
        meter.Reach(position);
    }

    /// <summary>Bytes of the records shown.</summary>
    public long Bytes { get; private set; }

    public void Series(uint reference, ReadOnlySpan<byte> canonicalLabels)
    {
        var used = head.Restore(reference, canonicalLabels);
        if (used != reference)
        {
            renamed[reference] = used;
        }
    }

    public void Sample(uint reference, long timeMs, double value)
    {
        if (Locate(reference, timeMs) is { } used)
        {
            head.Append(used, timeMs, value);
        }
    }

    public void Sample(uint reference, long timeMs, FloatHistogram histogram)
    {
        if (Locate(reference, timeMs) is { } used)
        {
            head.Append(used, timeMs, histogram);
        }
    }

    public void Exemplar(in Exemplar exemplar)
    {
        var reference = renamed.GetValueOrDefault(exemplar.Series, exemplar.Series);
        if (head.IsKnown(reference))
        {
            exemplars.Add(exemplar with { Series = reference }, out _);
        }
    }

    /// <summary>Says what could not be brought back.</summary>
    public void Finish()
    {
        if (orphans > 0)
        {
            report($"{orphans} samples in the log belong to series whose labels were in damaged records; they are lost");
        }
    }

    /// <summary>The series of a sample that is to be brought back; null when a block has it, or nobody knows the series.</summary>
    private uint? Locate(uint reference, long timeMs)
    {
        newestMs = Math.Max(newestMs, timeMs);
        if (timeMs < coveredBeforeMs)
        {
            return null;
        }

        if (renamed.Count > 0 && renamed.TryGetValue(reference, out var used))
        {
            reference = used;
        }

        if (head.IsKnown(reference))
        {
            return reference;
        }

        orphans++;
        return null;
    }
}
