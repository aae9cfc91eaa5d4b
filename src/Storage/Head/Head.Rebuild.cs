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
        var head = new Head(Options) { nextReference = nextReference, maxTimeMs = maxTimeMs, minTimeMs = minTimeMs, minValidMs = minValidMs };
        for (uint reference = 0; reference < nextReference; reference++)
        {
            if (IsKnown(reference))
            {
                ref var series = ref At(reference);
                if (series.SealedCount > 0 || series.OpenCount > 0 || series.HasOutOfOrder)
                {
                    head.Create(reference, LabelsOf(reference).Encoded, series.Hash);
                    head.CopyChunks(ref series, ref head.At(reference));
                    if (outOfOrder.TryGetValue(reference, out var late))
                    {
                        head.outOfOrder[reference] = late;
                    }

                    if (histograms.TryGetValue(reference, out var kept))
                    {
                        head.histograms[reference] = kept;
                        head.chunkCount += kept.ChunkCount;
                    }
                }
            }
        }

        return head;
    }

    private void CopyChunks(ref HeadSeries from, ref HeadSeries to)
    {
        to.Appender = from.Appender;
        to.HasNewest = from.HasNewest;
        to.HasOutOfOrder = from.HasOutOfOrder;
        to.OpenMinMs = from.OpenMinMs;
        to.OpenEndMs = from.OpenEndMs;
        if (from.OpenCount > 0)
        {
            to.OpenCapacity = from.OpenCapacity;
            to.Open = (nint)arena.Allocate(from.OpenCapacity);
            new ReadOnlySpan<byte>((void*)from.Open, from.OpenCapacity).CopyTo(new Span<byte>((void*)to.Open, to.OpenCapacity));
            to.OpenCount = from.OpenCount;
            chunkCount++;
        }

        if (from.SealedCount == 0)
        {
            return;
        }

        to.SealedCapacity = from.SealedCapacity;
        to.SealedCount = from.SealedCount;
        to.Sealed = (nint)arena.Allocate(from.SealedCapacity * sizeof(SealedChunk));
        var chunks = new Span<SealedChunk>((void*)to.Sealed, to.SealedCount);
        new ReadOnlySpan<SealedChunk>((void*)from.Sealed, from.SealedCount).CopyTo(chunks);
        foreach (ref var chunk in chunks)
        {
            var bytes = chunk.Bytes;
            chunk.Data = (nint)arena.Allocate(chunk.Length);
            bytes.CopyTo(new Span<byte>((void*)chunk.Data, chunk.Length));
        }

        chunkCount += chunks.Length;
    }
}
