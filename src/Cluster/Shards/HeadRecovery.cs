using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Brings a shard's head back at a start: from the head's snapshot and the log behind it, or from all of the log.</summary>
/// <remarks>
/// The log is the truth. A snapshot that is damaged, of another log, or ahead of this one, because the log lost its tail, is thrown away before anything is written. Only a local log has one: a
/// log that outlives its node may have been continued elsewhere meanwhile, by an owner that knew series which the snapshot does not.
/// </remarks>
internal sealed class HeadRecovery
{
    private readonly string folder;
    private readonly IShardLog log;
    private readonly StorageOptions options;
    private readonly IReadOnlyList<LogCut> cuts;
    private readonly ReplayMeter meter;
    private readonly Action<string> report;
    private readonly CancellationToken cancellation;

    private HeadRecovery(string folder, IShardLog log, StorageOptions options, IReadOnlyList<LogCut> cuts, ReplayMeter meter, Action<string> report, CancellationToken cancellation)
    {
        this.folder = folder;
        this.log = log;
        this.options = options;
        this.cuts = cuts;
        this.meter = meter;
        this.report = report;
        this.cancellation = cancellation;
    }

    /// <summary>Brings back what the log of a shard holds.</summary>
    /// <param name="folder">The shard's folder.</param>
    /// <param name="log">The log, not replayed yet; ready to be written afterwards.</param>
    /// <param name="options">How to keep the head.</param>
    /// <param name="cuts">What blocks cover of which log.</param>
    /// <param name="meter">Shows how far the replay is.</param>
    /// <param name="report">Is told, in a sentence, what an operator should know.</param>
    /// <param name="cancellation">Ends the replay.</param>
    /// <exception cref="IOException">The disk, or the log, failed.</exception>
    public static Task<RecoveredHead> RunAsync(
        string folder, IShardLog log, StorageOptions options, IReadOnlyList<LogCut> cuts, ReplayMeter meter, Action<string> report, CancellationToken cancellation) =>
        new HeadRecovery(folder, log, options, cuts, meter, report, cancellation).RunAsync();

    private string HeadFolder => Path.Combine(folder, "head");

    private string SnapshotPath => Path.Combine(HeadFolder, HeadSnapshot.FileName);

    private async Task<RecoveredHead> RunAsync()
    {
        var local = log as LocalShardLog;
        meter.Begin(local?.BytesToReplay ?? 0);
        if (local is not null && await FromSnapshotAsync() is { } recovered)
        {
            return recovered;
        }

        // What an earlier life left there must not be met by a later one: from here on references may be given out otherwise.
        if (File.Exists(SnapshotPath))
        {
            File.Delete(SnapshotPath);
            DurableFile.FlushFolder(HeadFolder);
        }

        var spill = new ChunkSpill(HeadFolder, options.HeadMemory.SpillFileBytes);
        spill.Clear();
        return (await ReplayAsync(NewHead(spill), spill, new ExemplarRing(options.ExemplarsPerShard), from: 0))!;
    }

    private async Task<RecoveredHead?> FromSnapshotAsync()
    {
        var spill = new ChunkSpill(HeadFolder, options.HeadMemory.SpillFileBytes);
        var exemplars = new ExemplarRing(options.ExemplarsPerShard);
        if (HeadSnapshot.Load(SnapshotPath, log.Lineage, () => NewHead(spill), exemplars, report) is not var (head, from))
        {
            return null;
        }

        spill.DeleteUnused();

        // Cuts that came after the snapshot hold whatever of it is older than their end.
        var coveredMs = cuts.Where(c => c.Log == log.Lineage && c.FirstRecord >= from).Select(c => c.EndMs).DefaultIfEmpty(long.MinValue).Max();
        if (coveredMs != long.MinValue)
        {
            head.BeginCut(coveredMs);
            for (uint cursor = 0; !head.TruncateSlice(coveredMs, ref cursor, int.MaxValue);)
            {
                cancellation.ThrowIfCancellationRequested();
            }
        }

        return await ReplayAsync(head, spill, exemplars, from);
    }

    private Head NewHead(ChunkSpill spill)
    {
        var head = new Head(new HeadOptions { BlockRangeMs = (long)options.BlockRange.TotalMilliseconds, OutOfOrderWindowMs = (long)options.OutOfOrderWindow.TotalMilliseconds }, spill);
        if (cuts.Count > 0)
        {
            head.SetMinValid(cuts[0].EndMs);
        }

        return head;
    }

    /// <summary>Replays the log from a record on; null when the log ends before it.</summary>
    private async Task<RecoveredHead?> ReplayAsync(Head head, ChunkSpill spill, ExemplarRing exemplars, long from)
    {
        var coverage = new LogCoverage();
        if (from > 0)
        {
            coverage.Skipped(0, from - 1, head.MaxTimeMs);
        }

        try
        {
            var replay = new LogReplay(head, coverage, [.. cuts.Where(c => c.Log == log.Lineage)], exemplars, options.HeadMemory.SpillBytes, meter, report, cancellation);
            await log.ReplayAsync(replay, from, report, cancellation);
            if (log.NextRecord < from)
            {
                report($"{SnapshotPath}: the snapshot can't be used, so the whole log is replayed: it stands at record {from}, and the log ends before {log.NextRecord}");
                head.Dispose();
                spill.Dispose();
                return null;
            }

            replay.Finish();
            if (cuts.Any(c => c.Log == log.Lineage && c.FirstRecord > log.NextRecord))
            {
                // The tail was lost, and its numbers are given out again: what the cuts say of them must not be believed.
                report($"the log ends at record {log.NextRecord}, before what blocks cover of it; it goes on as another one");
                log.Rename();
            }

            return new RecoveredHead(head, coverage, exemplars, spill, SnapshotPath, replay.Bytes, from > 0 ? new FileInfo(SnapshotPath).Length : 0);
        }
        catch
        {
            head.Dispose();
            spill.Dispose();
            throw;
        }
    }
}

/// <summary>What a start brought back.</summary>
/// <param name="Head">The head, with what the log holds and blocks do not.</param>
/// <param name="Coverage">Which records hold which times.</param>
/// <param name="Exemplars">The newest exemplars.</param>
/// <param name="Spill">Where the head's sealed chunks are.</param>
/// <param name="SnapshotPath">Where the head's snapshot goes.</param>
/// <param name="ReplayedBytes">Log that was replayed: what came after the snapshot, or all.</param>
/// <param name="SnapshotBytes">The size of the snapshot that it began with; 0 without one.</param>
internal sealed record RecoveredHead(Head Head, LogCoverage Coverage, ExemplarRing Exemplars, ChunkSpill Spill, string SnapshotPath, long ReplayedBytes, long SnapshotBytes);
