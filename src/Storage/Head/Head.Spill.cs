using System.Runtime.CompilerServices;

namespace Metrics.Storage;

/// <summary>How sealed chunks leave memory for files.</summary>
/// <remarks>
/// In three steps, so that the writer waits for no disk: <see cref="CollectSpill"/> copies some records, linked as they will be in the file; <see cref="SpillBatch.Write"/> writes them; and
/// <see cref="ApplySpill"/> sets the links to them. A link changes by one store, between two records that hold the same, so readers notice nothing.
/// </remarks>
public sealed unsafe partial class Head
{
    private readonly ChunkSpill? spill;
    private readonly HashSet<ChunkFile> held = [];
    private readonly Queue<uint> unspilled = new();
    private readonly SpillBatch spilling = new();
    private long unspilledBytes;

    /// <summary>Bytes of sealed chunks that are in memory; 0 when this head spills nothing.</summary>
    public long UnspilledBytes => spill is null ? 0 : Volatile.Read(ref unspilledBytes);

    /// <summary>Copies the records of the series that have waited longest; null when none wait. Writer only, and not before the batch before was applied.</summary>
    /// <exception cref="IOException">No file can be made: the disk is full.</exception>
    public SpillBatch? CollectSpill()
    {
        if (spill is null || unspilled.Count == 0)
        {
            return null;
        }

        // One series must fit, or nothing ever would.
        var first = unspilled.Peek();
        var room = Math.Max(spill.BatchBytes, IsKnown(first) ? BytesInMemory(At(first).Sealed, At(first).SealedCount) + (HistogramsOf(first)?.BytesInMemory ?? 0) : 0);
        var batch = spilling.For(spill.WithRoom(room), room);
        while (unspilled.TryPeek(out var reference))
        {
            if (IsKnown(reference) && !CollectSeries(reference, batch))
            {
                break;
            }

            unspilled.Dequeue();
        }

        return batch;
    }

    /// <summary>Sets the links to the records of a batch that was written. Writer only.</summary>
    public void ApplySpill(SpillBatch batch)
    {
        Hold(batch.File);
        foreach (var (reference, from, to) in batch.Moves)
        {
            ref var link = ref FindLink(reference, from);
            if (Unsafe.IsNullRef(ref link))
            {
                continue; // It was dropped meanwhile; the file has it for nothing.
            }

            var chunk = new SealedChunk((byte*)from);
            Volatile.Write(ref link, to);
            batch.File.LiveRecords++;
            unspilledBytes -= chunk.RecordBytes;
            epochs.Retire((byte*)from, chunk.RecordBytes);
        }

        foreach (var (reference, chunk, to) in batch.HistogramMoves)
        {
            if (HistogramsOf(reference) is { } samples && samples.Spilled(chunk, to))
            {
                batch.File.LiveRecords++;
                unspilledBytes -= chunk.StoredBytes;
            }
        }

        // Those of which more were sealed meanwhile.
        Requeue(batch);
    }

    /// <summary>A batch that could not be written: its records go on waiting. Writer only.</summary>
    public void AbandonSpill(SpillBatch batch) => Requeue(batch);

    /// <summary>The chunk behind a link; to be called inside a view, or by the writer.</summary>
    /// <exception cref="InvalidDataException">The file does not hold what was written.</exception>
    internal SealedChunk ChunkOf(long link) => link < 0 ? spill!.Read(link) : new SealedChunk((byte*)link);

    /// <summary>The sealed chunks of a series, the oldest first.</summary>
    internal void ChunksOf(in SeriesSnapshot series, Span<SealedChunk> into)
    {
        var link = series.Sealed;
        for (var i = series.SealedCount - 1; i >= 0; i--)
        {
            into[i] = ChunkOf(link);
            link = into[i].Previous;
        }
    }

    /// <summary>Notes a record in memory; a series waits once, however many it has.</summary>
    private void NoteUnspilled(uint reference, SealedChunk chunk, bool isFirst)
    {
        if (spill is not null)
        {
            Volatile.Write(ref unspilledBytes, unspilledBytes + chunk.RecordBytes);
            if (isFirst)
            {
                unspilled.Enqueue(reference);
            }
        }
    }

    private void NoteUnspilledHistograms(uint reference, HistogramSamples samples, int bytesBefore)
    {
        if (spill is not null && samples.BytesInMemory > bytesBefore)
        {
            Volatile.Write(ref unspilledBytes, unspilledBytes + samples.BytesInMemory - bytesBefore);
            if (bytesBefore == 0)
            {
                unspilled.Enqueue(reference);
            }
        }
    }

    private void Requeue(SpillBatch batch)
    {
        var last = uint.MaxValue;
        foreach (var (reference, _, _) in batch.Moves)
        {
            if (reference != last && IsKnown(reference) && At(reference) is { SealedCount: > 0, Sealed: > 0 })
            {
                unspilled.Enqueue(reference);
            }

            last = reference;
        }

        foreach (var (reference, _, _) in batch.HistogramMoves)
        {
            if (reference != last && HistogramsOf(reference) is { BytesInMemory: > 0 })
            {
                unspilled.Enqueue(reference);
            }

            last = reference;
        }

        batch.Clear();
    }

    private bool CollectSeries(uint reference, SpillBatch batch)
    {
        var before = batch.Mark;
        var fits = Collect(reference, At(reference).Sealed, At(reference).SealedCount, batch) != 0 && (HistogramsOf(reference)?.Collect(reference, batch) ?? true);
        if (!fits)
        {
            batch.Rewind(before);
        }

        return fits;
    }

    /// <summary>Copies the records of a chain that are in memory, the oldest first; gives the link of the newest, or 0 when the batch has no room for all.</summary>
    private static long Collect(uint reference, long link, int count, SpillBatch batch)
    {
        if (count == 0 || link < 0)
        {
            return link < 0 ? link : SealedChunk.Stored;
        }

        var chunk = new SealedChunk((byte*)link);
        var previous = Collect(reference, chunk.Previous, count - 1, batch);
        return previous == 0 ? 0 : batch.Add(reference, link, chunk, previous == SealedChunk.Stored ? 0 : previous);
    }

    private static int BytesInMemory(long link, int count)
    {
        var bytes = 0;
        for (; count > 0 && link > 0; count--)
        {
            var chunk = new SealedChunk((byte*)link);
            bytes += SpillBatch.Padded(chunk.RecordBytes);
            link = chunk.Previous;
        }

        return bytes;
    }

    /// <summary>The place that links to a record of a series; a null reference when there is none any more.</summary>
    private ref long FindLink(uint reference, long record)
    {
        if (IsKnown(reference))
        {
            ref var series = ref At(reference);
            ref var link = ref series.Sealed;
            for (var left = series.SealedCount; left > 0 && link > 0; left--)
            {
                if (link == record)
                {
                    return ref link;
                }

                link = ref new SealedChunk((byte*)link).Previous;
            }
        }

        return ref Unsafe.NullRef<long>();
    }

    private void Hold(ChunkFile file)
    {
        if (held.Add(file))
        {
            file.Hold();
        }
    }

    private void DropUnusedFiles()
    {
        foreach (var file in held.Where(f => f.LiveRecords == 0 && f != spill!.Current).ToList())
        {
            held.Remove(file);
            epochs.Retire(file);
            spill!.Drop(file);
        }
    }

    private void Free()
    {
        arena.Dispose();
        open.Dispose();
        epochs.ReleaseFiles();
        foreach (var file in held)
        {
            file.Release();
        }

        held.Clear();
    }
}
