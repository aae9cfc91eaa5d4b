namespace Metrics.Storage;

/// <summary>How a head sheds series that ended.</summary>
public sealed unsafe partial class Head
{
    /// <summary>
    /// A new head with the series of this one that hold samples, under the same references, and with copies of their chunks; this head is then to be disposed. Series that ended, their
    /// label texts and postings are gone: cheaper than taking them out one by one, and done only when they are many. Writer only.
    /// </summary>
    public Head Rebuilt()
    {
        var head = new Head(Options, spill) { nextReference = nextReference, maxTimeMs = maxTimeMs, minTimeMs = minTimeMs, minValidMs = minValidMs };
        for (uint reference = 0; reference < nextReference; reference++)
        {
            if (IsKnown(reference))
            {
                ref var series = ref At(reference);
                if (series.SealedCount > 0 || series.OpenCount > 0 || series.HasOutOfOrder)
                {
                    head.Create(reference, LabelsOf(reference).Encoded, series.Hash);
                    head.CopyChunks(this, reference, ref series, ref head.At(reference));
                    if (outOfOrder.TryGetValue(reference, out var late))
                    {
                        head.outOfOrder[reference] = late;
                    }

                    if (histograms.TryGetValue(reference, out var kept))
                    {
                        head.histograms[reference] = kept.Copy();
                        head.chunkCount += kept.ChunkCount;
                        head.NoteUnspilledHistograms(reference, kept, 0);
                    }
                }
            }
        }

        foreach (var file in held)
        {
            head.Hold(file);
        }

        return head;
    }

    private void CopyChunks(Head source, uint reference, ref HeadSeries from, ref HeadSeries to)
    {
        to.Appender = from.Appender;
        to.HasNewest = from.HasNewest;
        to.HasOutOfOrder = from.HasOutOfOrder;
        to.OpenMinMs = from.OpenMinMs;
        if (from.OpenCount > 0)
        {
            (to.Open, to.OpenLast) = open.CopyFrom(source.open, from.Open);
            to.OpenCount = from.OpenCount;
            to.OpenLimit = from.OpenLimit;
            chunkCount++;
        }

        chunkCount += from.SealedCount;
        (to.SealedCount, to.SealedMinMs) = (from.SealedCount, from.SealedMinMs);
        to.Sealed = CopyChain(reference, from.Sealed, from.SealedCount);
    }

    /// <summary>Copies the records of a chain that lie in memory; what is stored is shared.</summary>
    private long CopyChain(uint reference, long link, int count)
    {
        if (count == 0)
        {
            return 0;
        }

        if (link < 0)
        {
            return link;
        }

        var chunk = new SealedChunk((byte*)link);
        var previous = CopyChain(reference, chunk.Previous, count - 1);
        var copy = arena.Allocate(chunk.RecordBytes);
        SealedChunk.Write(copy, previous, chunk.Encoding, chunk.MinMs, chunk.MaxMs, chunk.Data);
        NoteUnspilled(reference, new SealedChunk(copy), isFirst: count == 1 || previous < 0);
        return (long)copy;
    }
}
