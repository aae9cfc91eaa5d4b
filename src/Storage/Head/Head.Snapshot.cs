using Metrics.Model;

namespace Metrics.Storage;

/// <summary>How the series of a head are copied into a snapshot, and brought back from one.</summary>
public sealed unsafe partial class Head
{
    private const byte HasNewestFlag = 1;
    private const byte OpenFlag = 2;
    private const byte SealedFlag = 4;

    /// <summary>Brings a late sample back, whatever the window says now.</summary>
    internal void RestoreLate(uint reference, long timeMs, double value)
    {
        outOfOrder.GetOrAdd(reference, static _ => new OutOfOrderSamples()).Add(timeMs, value);
        MarkAside(reference, timeMs);
    }

    /// <inheritdoc cref="RestoreLate(uint, long, double)"/>
    internal void RestoreLate(uint reference, long timeMs, FloatHistogram histogram)
    {
        HistogramsToFill(reference).AddLate(timeMs, histogram);
        MarkAside(reference, timeMs);
    }

    internal void SaveBounds(SnapshotFrame to)
    {
        to.Int64(maxTimeMs);
        to.Int64(minValidMs);
    }

    internal void RestoreBounds(ref SpanReader from)
    {
        maxTimeMs = (long)from.UInt64();
        minValidMs = Math.Max(minValidMs, (long)from.UInt64());
    }

    /// <summary>Symbols are numbered as they come, so all of a snapshot's must be restored before anything else enters this head.</summary>
    internal void RestoreSymbols(ref SpanReader from)
    {
        while (!from.AtEnd)
        {
            var expected = Symbols.Count;
            if (Symbols.Intern(from.Text()) != expected)
            {
                throw new InvalidDataException($"symbol {expected} of a snapshot is there twice");
            }
        }
    }

    /// <summary>Copies a slice of the series; false when there are no more.</summary>
    internal bool SaveSlice(ref uint cursor, int slice, ref uint before, SnapshotFrame series, SnapshotFrame histogramsTo, WriteRecord late, ref long count)
    {
        var end = Math.Min(nextReference, cursor + (uint)slice);
        for (; cursor < end; cursor++)
        {
            if (!IsKnown(cursor))
            {
                continue;
            }

            series.UVarint(cursor - before);
            before = cursor;
            count++;
            ref var one = ref At(cursor);
            SaveSeries(ref one, series);
            if (one.HasOutOfOrder)
            {
                SaveLate(cursor, late);
                HistogramsOf(cursor)?.Save(cursor, histogramsTo, late);
            }
        }

        return cursor < nextReference;
    }

    /// <summary>Brings back the series of a frame.</summary>
    internal void RestoreSeries(ref SpanReader from, ref uint reference)
    {
        while (!from.AtEnd)
        {
            reference = checked(reference + (uint)from.UVarint());
            var hash = from.UInt64();
            var labels = from.Count(2);
            ReserveScratch(labels);
            for (var i = 0; i < labels; i++)
            {
                (names[i], values[i]) = (checked((uint)from.UVarint()), checked((uint)from.UVarint()));
                if (Math.Max(names[i], values[i]) >= Symbols.Count)
                {
                    throw new InvalidDataException($"series {reference} of a snapshot names symbols {names[i]} and {values[i]}, but there are {Symbols.Count}");
                }
            }

            if (IsKnown(reference))
            {
                throw new InvalidDataException($"series {reference} of a snapshot is there twice");
            }

            Create(reference, labels, hash);
            RestoreChunks(reference, ref At(reference), ref from);
        }
    }

    /// <summary>Brings back the native histograms of a frame.</summary>
    internal void RestoreHistograms(ref SpanReader from)
    {
        while (!from.AtEnd)
        {
            var reference = checked((uint)from.UVarint());
            if (!IsKnown(reference))
            {
                throw new InvalidDataException($"a snapshot has histograms of series {reference}, but no such series");
            }

            var samples = HistogramsToFill(reference);
            samples.Restore(ref from, this);
            chunkCount += samples.ChunkCount;
            NoteUnspilledHistograms(reference, samples, 0);
            MarkAside(reference, samples.MinTimeMs);
        }
    }

    /// <summary>No reference below this one is given out again.</summary>
    internal void ReserveReferences(uint next) => nextReference = Math.Max(nextReference, next);

    /// <summary>Takes a stored chunk of an earlier life in use.</summary>
    /// <exception cref="InvalidDataException">The file does not hold what was written.</exception>
    internal SealedChunk Adopt(long link)
    {
        var file = (spill ?? throw new InvalidDataException("a snapshot names stored chunks, but this head stores none")).Reopen(ChunkSpill.NumberOf(link));
        if (ChunkSpill.OffsetOf(link) % 8 != 0 || ChunkSpill.OffsetOf(link) >= file.Capacity)
        {
            throw new InvalidDataException($"{file.Path}: no chunk can begin at {ChunkSpill.OffsetOf(link)}");
        }

        Hold(file);
        file.LiveRecords++;
        return spill.Read(link);
    }

    internal long BoundaryAfter(long timeMs) => NextBoundary(timeMs);

    private void SaveOpen(ref HeadSeries series, SnapshotFrame to)
    {
        using var bytes = new OpenChunkBytes(open, series.Open, series.OpenCount);
        to.UVarint(series.OpenCount);
        to.UVarint(series.OpenLimit);
        to.SVarint(series.OpenMinMs);
        to.Text(bytes.Span[..OpenLength(ref series)]);
    }

    private void SaveSeries(ref HeadSeries series, SnapshotFrame to)
    {
        to.Int64((long)series.Hash);
        var symbols = SymbolsOf(ref series);
        to.UVarint((ulong)symbols.Count);
        for (var i = 0; i < symbols.Count; i++)
        {
            to.UVarint(symbols.Names[i]);
            to.UVarint(symbols.Values[i]);
        }

        to.Byte((byte)((series.HasNewest ? HasNewestFlag : 0) | (series.OpenCount > 0 ? OpenFlag : 0) | (series.SealedCount > 0 ? SealedFlag : 0)));
        if (series.HasNewest)
        {
            series.Appender.Save(to.Take(XorAppender.SavedBytes));
        }

        if (series.OpenCount > 0)
        {
            SaveOpen(ref series, to);
        }

        if (series.SealedCount > 0)
        {
            SaveSealed(ref series, to);
        }
    }

    /// <summary>The stored chunks as one link and their number, those in memory after them, the oldest first.</summary>
    private void SaveSealed(ref HeadSeries series, SnapshotFrame to)
    {
        Span<SealedChunk> chunks = series.SealedCount <= SeriesSnapshot.UsualChunks ? stackalloc SealedChunk[series.SealedCount] : new SealedChunk[series.SealedCount];
        var link = series.Sealed;
        var inMemory = 0;
        for (; inMemory < series.SealedCount && link > 0; inMemory++)
        {
            chunks[inMemory] = new SealedChunk((byte*)link);
            link = chunks[inMemory].Previous;
        }

        to.SVarint(series.SealedMinMs);
        to.UVarint((ulong)(series.SealedCount - inMemory));
        if (inMemory < series.SealedCount)
        {
            to.Int64(link);
        }

        to.UVarint((ulong)inMemory);
        for (var i = inMemory - 1; i >= 0; i--)
        {
            to.SVarint(chunks[i].MinMs);
            to.SVarint(chunks[i].MaxMs);
            to.Text(chunks[i].Data);
        }
    }

    private void SaveLate(uint reference, WriteRecord late)
    {
        if (OutOfOrderOf(reference) is { } samples)
        {
            using var buffer = new SampleBuffer();
            samples.View(TimeRange.All).Read(buffer);
            for (var i = 0; i < buffer.Count; i++)
            {
                late.AddSample(reference, buffer.Times[i], buffer.Values[i]);
            }
        }
    }

    private void RestoreChunks(uint reference, ref HeadSeries series, ref SpanReader from)
    {
        var flags = from.Byte();
        if ((flags & HasNewestFlag) != 0)
        {
            series.HasNewest = true;
            series.Appender = XorAppender.Load(from.Bytes(XorAppender.SavedBytes));
        }

        if ((flags & OpenFlag) != 0)
        {
            RestoreOpen(reference, ref series, ref from);
        }

        if ((flags & SealedFlag) != 0)
        {
            RestoreSealed(reference, ref series, ref from);
        }
    }

    private void RestoreOpen(uint reference, ref HeadSeries series, ref SpanReader from)
    {
        series.OpenCount = checked((ushort)from.UVarint());
        series.OpenLimit = checked((ushort)from.UVarint());
        series.OpenMinMs = from.SVarint();
        var bytes = from.Text();
        (series.Open, series.OpenLast, var inLast) = open.Fill(bytes);
        if (series.OpenCount == 0 || inLast != series.Appender.Length)
        {
            throw new InvalidDataException($"series {reference} of a snapshot has an open chunk of {bytes.Length} bytes that is not what its state says");
        }

        chunkCount++;
        minTimeMs = Math.Min(minTimeMs, series.OpenMinMs);
    }

    private void RestoreSealed(uint reference, ref HeadSeries series, ref SpanReader from)
    {
        series.SealedMinMs = from.SVarint();
        minTimeMs = Math.Min(minTimeMs, series.SealedMinMs);
        var stored = checked((int)from.UVarint());
        if (stored > 0)
        {
            series.Sealed = (long)from.UInt64();
            AdoptChain(series.Sealed, stored);
        }

        series.SealedCount = checked((ushort)stored);
        for (var left = from.Count(3); left > 0; left--)
        {
            var (minMs, maxMs) = (from.SVarint(), from.SVarint());
            var data = from.Text();
            var record = arena.Allocate(SealedChunk.HeaderBytes + data.Length);
            SealedChunk.Write(record, series.Sealed, ChunkEncoding.Xor, minMs, maxMs, data);
            NoteUnspilled(reference, new SealedChunk(record), isFirst: series.Sealed <= 0);
            series.Sealed = (long)record;
            series.SealedCount++;
        }

        chunkCount += series.SealedCount;
    }

    private void AdoptChain(long link, int count)
    {
        var end = long.MaxValue;
        for (; count > 0; count--)
        {
            var chunk = link < 0 ? Adopt(link) : throw new InvalidDataException("a chain of stored chunks ends too early");
            if (chunk.MaxMs >= end || chunk.Encoding != ChunkEncoding.Xor)
            {
                throw new InvalidDataException("a chain of stored chunks does not ascend in time");
            }

            (end, link) = (chunk.MinMs, chunk.Previous);
        }
    }

    private HistogramSamples HistogramsToFill(uint reference) =>
        histograms.GetOrAdd(reference, static (_, head) => new HistogramSamples(head.Options, head.spill), this);

    private void MarkAside(uint reference, long timeMs)
    {
        At(reference).HasOutOfOrder = true;
        minTimeMs = Math.Min(minTimeMs, timeMs);
    }
}
