using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Makes blocks of the records of a lost log: they are replayed into a head of their own, which is cut from its first to its last sample.</summary>
internal sealed class SalvagedRecords : ISalvagedRecords
{
    private readonly ShardArchive archive;
    private readonly string folder;
    private readonly ChunkSpill spill;
    private readonly Head head;
    private readonly LogReplay replay;

    private SalvagedRecords(ShardArchive archive, string folder, StorageOptions options, IReadOnlyList<LogCut> cuts, Action<string> report, CancellationToken cancellation)
    {
        this.archive = archive;
        this.folder = folder;
        Directory.CreateDirectory(folder);
        spill = new ChunkSpill(folder, options.HeadMemory.SpillFileBytes);
        spill.Clear();
        head = new Head(new HeadOptions { BlockRangeMs = (long)options.BlockRange.TotalMilliseconds, OutOfOrderWindowMs = (long)options.OutOfOrderWindow.TotalMilliseconds }, spill);
        replay = new LogReplay(head, new LogCoverage(), cuts, new ExemplarRing(0), options.HeadMemory.SpillBytes, new ReplayMeter(), report, cancellation);
    }

    /// <summary>Begins with the series that the log's records refer to.</summary>
    /// <param name="archive">Where the blocks go.</param>
    /// <param name="folder">A folder for it alone.</param>
    /// <param name="options">How the shard is kept.</param>
    /// <param name="services">Where the checkpoint is.</param>
    /// <param name="lost">The log.</param>
    /// <param name="report">Is told, in a sentence, what an operator should know.</param>
    /// <param name="cancellation">Ends it, now and later.</param>
    /// <exception cref="IOException">The checkpoint can't be read now.</exception>
    public static async ValueTask<ISalvagedRecords> BeginAsync(
        ShardArchive archive, string folder, StorageOptions options, ArchiveServices services, LostLog lost, Action<string> report, CancellationToken cancellation)
    {
        var records = new SalvagedRecords(archive, folder, options, [.. archive.Cuts.Where(c => c.Log == lost.Lineage)], report, cancellation);
        try
        {
            if (lost.Checkpoint is { } checkpoint)
            {
                await CheckpointObject.ShowAsync(services.Store, checkpoint, Path.Combine(folder, "checkpoint"), records.replay, report, cancellation);
            }

            return records;
        }
        catch
        {
            records.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Visit(long number, ReadOnlySpan<byte> payload, long position) => replay.Visit(number, payload, position);

    /// <inheritdoc/>
    public async ValueTask<Func<ShardManifest, ShardManifest>> FinishAsync(CancellationToken cancellation)
    {
        replay.Finish();
        var written = new List<BlockMeta>();
        while (head.ChunkCount > 0 && head.MinTimeMs <= head.MaxTimeMs)
        {
            Cut(written, cancellation);
        }

        return await archive.UploadAsideAsync(written, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        head.Dispose();
        spill.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private void Cut(List<BlockMeta> written, CancellationToken cancellation)
    {
        var rangeMs = head.Options.BlockRangeMs;
        var first = Math.Max(head.MinTimeMs, head.MinValidMs);
        var end = Math.Min(CutRanges.AlignedStart(first, rangeMs) + rangeMs, head.MaxTimeMs + 1);
        var late = head.BeginCut(end);
        using (var view = head.OpenView() ?? throw new InvalidOperationException("the head is open until it is disposed"))
        {
            foreach (var range in CutRanges.Of(first, end, late, rangeMs))
            {
                using var writer = archive.WriteAside(range);
                if (HeadCut.Write(view, range, writer, cancellation) > 0)
                {
                    written.Add(writer.Finish());
                }
            }
        }

        for (uint cursor = 0; !head.TruncateSlice(end, ref cursor, int.MaxValue);)
        {
            cancellation.ThrowIfCancellationRequested();
        }
    }
}
