using System.Buffers.Binary;

namespace Metrics.Storage;

/// <summary>How the chunks of a series begin, grow, are sealed and are dropped.</summary>
public sealed unsafe partial class Head
{
    private (int Idle, long MinMs) truncation;

    // The block range that the last append was in.
    private long rangeStartMs;
    private long rangeEndMs;

    /// <summary>
    /// Drops samples before an instant from a slice of the series: whole chunks, so a chunk that reaches beyond the bound stays. Call with a cursor of 0 until it gives true; the writer
    /// may append between slices. Writer only.
    /// </summary>
    public bool TruncateSlice(long boundMs, ref uint cursor, int slice)
    {
        if (cursor == 0)
        {
            SetMinValid(boundMs);
            truncation = (Idle: 0, MinMs: long.MaxValue);
        }

        var end = Math.Min(nextReference, cursor + (uint)slice);
        for (; cursor < end; cursor++)
        {
            if (IsKnown(cursor))
            {
                TruncateSeries(cursor, ref At(cursor), boundMs);
            }
        }

        if (cursor < nextReference)
        {
            return false;
        }

        IdleSeriesCount = truncation.Idle;

        // Samples that came between slices are not older than the bound, so the bound is a safe floor for them.
        Volatile.Write(ref minTimeMs, chunkCount == 0 && outOfOrder.IsEmpty ? long.MaxValue : Math.Min(truncation.MinMs, Math.Max(boundMs, minTimeMs)));
        DropUnusedFiles();
        epochs.Reclaim();
        return true;
    }

    private void TruncateSeries(uint reference, ref HeadSeries series, long boundMs)
    {
        var kept = KeptSealed(ref series, boundMs, out var oldestMs);
        var dropOpen = series.OpenCount > 0 && series.Appender.LastTimeMs < boundMs;
        if (kept < series.SealedCount || dropOpen)
        {
            BeginChange(ref series);
            DropSealed(ref series, kept, oldestMs);
            if (dropOpen)
            {
                epochs.RetireOpen(series.Open);
                (series.Open, series.OpenLast, series.OpenCount) = (0, 0, 0);
                chunkCount--;
            }

            EndChange(ref series);
        }

        if (series.HasOutOfOrder && TruncateAside(reference, boundMs))
        {
            BeginChange(ref series);
            series.HasOutOfOrder = false;
            EndChange(ref series);
        }

        if (series.SealedCount > 0 || series.OpenCount > 0)
        {
            var first = series.SealedCount > 0 ? series.SealedMinMs : series.OpenMinMs;
            truncation.MinMs = Math.Min(truncation.MinMs, first);
        }
        else if (!series.HasOutOfOrder)
        {
            truncation.Idle++;
        }
    }

    /// <summary>Drops what lies beside the float chunks; true when nothing is left there.</summary>
    private bool TruncateAside(uint reference, long boundMs)
    {
        if (outOfOrder.TryGetValue(reference, out var late))
        {
            late.EndCut();
            if (late.IsEmpty)
            {
                outOfOrder.TryRemove(reference, out _);
            }
        }

        if (histograms.TryGetValue(reference, out var kept))
        {
            chunkCount -= kept.EndCut(boundMs, out var memoryBytes);
            unspilledBytes -= memoryBytes;
            truncation.MinMs = Math.Min(truncation.MinMs, kept.MinTimeMs);
            if (kept.IsEmpty)
            {
                histograms.TryRemove(reference, out _);
            }
        }

        return !outOfOrder.ContainsKey(reference) && !histograms.ContainsKey(reference);
    }

    private int KeptSealed(ref HeadSeries series, long boundMs, out long oldestMs)
    {
        oldestMs = series.SealedMinMs;
        if (series.SealedCount == 0 || series.SealedMinMs >= boundMs)
        {
            return series.SealedCount; // Fast path: between two cuts most slices hold nothing to drop.
        }

        var link = series.Sealed;
        for (var kept = 0; kept < series.SealedCount; kept++)
        {
            var chunk = ChunkOf(link);
            if (chunk.MaxMs < boundMs)
            {
                return kept;
            }

            (oldestMs, link) = (chunk.MinMs, chunk.Previous);
        }

        return series.SealedCount;
    }

    /// <summary>Drops all but the newest sealed chunks.</summary>
    private void DropSealed(ref HeadSeries series, int kept, long oldestMs)
    {
        var link = series.Sealed;
        for (var i = 0; i < series.SealedCount; i++)
        {
            var chunk = ChunkOf(link);
            var previous = chunk.Previous;
            if (i >= kept)
            {
                Discard(link, chunk);
            }

            link = previous;
        }

        chunkCount -= series.SealedCount - kept;
        (series.Sealed, series.SealedCount, series.SealedMinMs) = (kept == 0 ? 0 : series.Sealed, (ushort)kept, oldestMs);
    }

    private void Discard(long link, SealedChunk chunk)
    {
        if (link < 0)
        {
            spill!.FileOf(link).LiveRecords--;
        }
        else
        {
            unspilledBytes -= chunk.RecordBytes;
            epochs.Retire((byte*)link, chunk.RecordBytes);
        }
    }

    /// <summary>The samples of a series' first chunk in a range of time: a quarter of a full one to all of it. Series that are scraped together began together, and would fill and seal all their chunks at once.</summary>
    private int FirstChunkSamples(uint reference)
    {
        var least = (Options.ChunkSamples + 3) / 4;
        return least + (int)((ulong)(reference * 2654435769U) * (uint)(Options.ChunkSamples - least + 1) >> 32); // Knuth's multiplicative hash: neighbours far apart.
    }

    private void BeginChunk(ref HeadSeries series, long timeMs, double value, int limit)
    {
        BeginChange(ref series);
        series.Open = series.OpenLast = open.Take();
        series.Appender.Begin(open.Data(series.Open), timeMs, value);
        series.OpenMinMs = timeMs;
        series.HasNewest = true;
        series.OpenCount = 1;
        series.OpenLimit = checked((ushort)limit);
        chunkCount++;
        EndChange(ref series);
    }

    /// <summary>Copies the open chunk into a piece of its exact size and chains that to the sealed ones.</summary>
    private void Seal(uint reference, ref HeadSeries series)
    {
        using var bytes = new OpenChunkBytes(open, series.Open, series.OpenCount);
        var length = OpenLength(ref series);
        var record = arena.Allocate(SealedChunk.HeaderBytes + length);
        SealedChunk.Write(record, series.Sealed, ChunkEncoding.Xor, series.OpenMinMs, series.Appender.LastTimeMs, bytes.Span[..length]);
        var chunk = new SealedChunk(record);
        BinaryPrimitives.WriteUInt16BigEndian(chunk.Writable, series.OpenCount);
        var isFirst = series.SealedCount == 0 || series.Sealed < 0;
        BeginChange(ref series);
        series.SealedMinMs = series.SealedCount == 0 ? series.OpenMinMs : series.SealedMinMs;
        series.Sealed = (long)record;
        series.SealedCount++;

        // A reader may hold the open bytes, so the next chunk gets others.
        epochs.RetireOpen(series.Open);
        (series.Open, series.OpenLast, series.OpenCount) = (0, 0, 0);
        EndChange(ref series);
        NoteUnspilled(reference, chunk, isFirst);
    }

    /// <summary>Appends where the block at hand may be too short: in a copy of it, from which the overhang goes into a new block.</summary>
    private void AppendAcross(ref HeadSeries series, long timeMs, double value)
    {
        var here = open.Data(series.OpenLast);
        Span<byte> both = stackalloc byte[OpenBlocks.DataBytes + XorAppender.SlackBytes];
        here.CopyTo(both);
        both[here.Length..].Clear();
        series.Appender.Append(both, series.OpenCount, timeMs, value);
        both[..here.Length].CopyTo(here);
        if (series.Appender.Length > here.Length)
        {
            var next = open.Take();
            both[here.Length..].CopyTo(open.Data(next));
            open.Link(series.OpenLast, next);
            series.OpenLast = next;
            series.Appender.MoveOn(here.Length);
        }
    }

    /// <summary>The bytes of an open chunk: full blocks, and what the last one holds.</summary>
    private int OpenLength(ref HeadSeries series)
    {
        var length = series.Appender.Length;
        for (var block = series.Open; block != series.OpenLast; block = open.NextOf(block))
        {
            length += OpenBlocks.DataBytes;
        }

        return length;
    }

    /// <summary>A sample not newer than the newest of its series: a retry, a late one, or an error.</summary>
    private AppendOutcome AppendOld(uint reference, ref HeadSeries series, long timeMs, double value)
    {
        var bits = BitConverter.DoubleToUInt64Bits(value);
        if (timeMs == series.Appender.LastTimeMs)
        {
            return bits == series.Appender.LastValueBits ? AlreadyThere(timeMs) : AppendOutcome.DuplicateTimestamp;
        }

        if (TryFind(ref series, timeMs, out var found))
        {
            return found == bits ? AlreadyThere(timeMs) : WindowReaches(timeMs) ? AppendOutcome.DuplicateTimestamp : AppendOutcome.OutOfOrder;
        }

        return AppendLate(reference, ref series, timeMs, value);
    }

    /// <summary>After a start from a snapshot the head may hold samples newer than it knows of, until the log has shown them to it again.</summary>
    private AppendOutcome AlreadyThere(long timeMs)
    {
        if (timeMs > maxTimeMs)
        {
            Volatile.Write(ref maxTimeMs, timeMs);
        }

        return AppendOutcome.AlreadyThere;
    }

    /// <summary>A sample that no in-order chunk can take. One that a block holds already is taken again, and is the same sample once more when it is read.</summary>
    private AppendOutcome AppendLate(uint reference, ref HeadSeries series, long timeMs, double value)
    {
        if (!WindowReaches(timeMs))
        {
            return Options.OutOfOrderWindowMs > 0 || timeMs < minValidMs ? AppendOutcome.TooOld : AppendOutcome.OutOfOrder;
        }

        var outcome = outOfOrder.GetOrAdd(reference, static _ => new OutOfOrderSamples()).Add(timeMs, value);
        if (!series.HasOutOfOrder)
        {
            BeginChange(ref series);
            series.HasOutOfOrder = true;
            EndChange(ref series);
        }

        if (outcome == AppendOutcome.Added)
        {
            Covers(timeMs);
        }

        return outcome;
    }

    // After a restart the head may be empty, and the end of the last cut is all that is known of the newest sample.
    private bool WindowReaches(long timeMs) => Options.OutOfOrderWindowMs > 0 && timeMs >= Math.Max(maxTimeMs, minValidMs) - Options.OutOfOrderWindowMs;

    private bool TryFind(ref HeadSeries series, long timeMs, out ulong bits)
    {
        if (series.OpenCount > 0 && timeMs >= series.OpenMinMs)
        {
            using var bytes = new OpenChunkBytes(open, series.Open, series.OpenCount);
            return XorChunk.TryFind(bytes.Span, series.OpenCount, timeMs, out bits);
        }

        var link = series.Sealed;
        for (var i = 0; i < series.SealedCount; i++)
        {
            var chunk = ChunkOf(link);
            if (timeMs >= chunk.MinMs)
            {
                return XorChunk.TryFind(chunk.Data, XorChunk.Count(chunk.Data), timeMs, out bits);
            }

            link = chunk.Previous;
        }

        bits = 0;
        return false;
    }

    private static void BeginChange(ref HeadSeries series) => Interlocked.Increment(ref series.Version);

    private static void EndChange(ref HeadSeries series) => Volatile.Write(ref series.Version, series.Version + 1);

    /// <summary>True when a time is beyond the block range that a chunk began in.</summary>
    private bool IsInAnotherRange(long beganMs, long timeMs)
    {
        if (beganMs < rangeStartMs || beganMs >= rangeEndMs)
        {
            rangeEndMs = NextBoundary(beganMs);
            rangeStartMs = rangeEndMs - Options.BlockRangeMs;
        }

        return timeMs >= rangeEndMs;
    }

    private long NextBoundary(long timeMs)
    {
        var range = Options.BlockRangeMs;
        var floor = timeMs - (((timeMs % range) + range) % range);
        return floor > long.MaxValue - range ? long.MaxValue : floor + range;
    }
}
