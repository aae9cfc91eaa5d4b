namespace Metrics.Storage;

/// <summary>How the chunks of a series begin, grow, are sealed and are dropped.</summary>
public sealed unsafe partial class Head
{
    private (int Idle, long MinMs) truncation;

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
        epochs.Reclaim();
        return true;
    }

    private void TruncateSeries(uint reference, ref HeadSeries series, long boundMs)
    {
        var chunks = new Span<SealedChunk>((void*)series.Sealed, series.SealedCount);
        var dropped = 0;
        while (dropped < chunks.Length && chunks[dropped].MaxMs < boundMs)
        {
            dropped++;
        }

        var dropOpen = series.OpenCount > 0 && series.Appender.LastTimeMs < boundMs;
        if (dropped > 0 || dropOpen)
        {
            BeginChange(ref series);
            if (dropped > 0)
            {
                DropSealed(ref series, dropped);
            }

            if (dropOpen)
            {
                epochs.Retire((byte*)series.Open, series.OpenCapacity);
                (series.Open, series.OpenCapacity, series.OpenCount) = (0, 0, 0);
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
            var first = series.SealedCount > 0 ? ((SealedChunk*)series.Sealed)->MinMs : series.OpenMinMs;
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
            chunkCount -= kept.EndCut(boundMs);
            truncation.MinMs = Math.Min(truncation.MinMs, kept.MinTimeMs);
            if (kept.IsEmpty)
            {
                histograms.TryRemove(reference, out _);
            }
        }

        return !outOfOrder.ContainsKey(reference) && !histograms.ContainsKey(reference);
    }

    private void DropSealed(ref HeadSeries series, int dropped)
    {
        var chunks = new Span<SealedChunk>((void*)series.Sealed, series.SealedCount);
        for (var i = 0; i < dropped; i++)
        {
            epochs.Retire((byte*)chunks[i].Data, chunks[i].Length);
        }

        var kept = chunks.Length - dropped;
        var capacity = kept == 0 ? 0 : Math.Max(4, kept);
        var list = kept == 0 ? null : (SealedChunk*)arena.Allocate(capacity * sizeof(SealedChunk));
        chunks[dropped..].CopyTo(new Span<SealedChunk>(list, kept));
        epochs.Retire((byte*)series.Sealed, series.SealedCapacity * sizeof(SealedChunk));
        (series.Sealed, series.SealedCount, series.SealedCapacity) = ((nint)list, kept, capacity);
        chunkCount -= dropped;
    }

    private void BeginChunk(ref HeadSeries series, long timeMs, double value)
    {
        BeginChange(ref series);
        if (series.Open == 0)
        {
            series.OpenCapacity = NativeArena.Rounded(FirstOpenBytes);
            series.Open = (nint)arena.Allocate(series.OpenCapacity);
        }

        series.Appender.Begin(new Span<byte>((void*)series.Open, series.OpenCapacity), timeMs, value);
        series.OpenMinMs = timeMs;
        series.OpenEndMs = NextBoundary(timeMs);
        series.HasNewest = true;
        series.OpenCount = 1;
        chunkCount++;
        EndChange(ref series);
    }

    /// <summary>Copies the open chunk into a piece of its exact size and appends that to the sealed ones.</summary>
    private void Seal(ref HeadSeries series)
    {
        var length = series.Appender.Length;
        var data = arena.Allocate(length);
        new ReadOnlySpan<byte>((void*)series.Open, length).CopyTo(new Span<byte>(data, length));
        BeginChange(ref series);
        if (series.SealedCount == series.SealedCapacity)
        {
            var capacity = Math.Max(4, series.SealedCapacity * 2);
            var list = (SealedChunk*)arena.Allocate(capacity * sizeof(SealedChunk));
            new ReadOnlySpan<SealedChunk>((void*)series.Sealed, series.SealedCount).CopyTo(new Span<SealedChunk>(list, capacity));
            if (series.Sealed != 0)
            {
                epochs.Retire((byte*)series.Sealed, series.SealedCapacity * sizeof(SealedChunk));
            }

            (series.Sealed, series.SealedCapacity) = ((nint)list, capacity);
        }

        ((SealedChunk*)series.Sealed)[series.SealedCount++] = new SealedChunk
        {
            Data = (nint)data,
            Length = length,
            Count = series.OpenCount,
            Encoding = ChunkEncoding.Xor,
            MinMs = series.OpenMinMs,
            MaxMs = series.Appender.LastTimeMs,
        };

        // A reader may hold the open bytes, so the next chunk gets others.
        epochs.Retire((byte*)series.Open, series.OpenCapacity);
        (series.Open, series.OpenCapacity, series.OpenCount) = (0, 0, 0);
        EndChange(ref series);
    }

    private void GrowOpen(ref HeadSeries series)
    {
        var capacity = NativeArena.Rounded(Math.Max(series.OpenCapacity * 3 / 2, series.Appender.Length + (2 * XorAppender.SlackBytes)));
        var grown = arena.Allocate(capacity);
        new ReadOnlySpan<byte>((void*)series.Open, series.OpenCapacity).CopyTo(new Span<byte>(grown, capacity));
        BeginChange(ref series);
        epochs.Retire((byte*)series.Open, series.OpenCapacity);
        (series.Open, series.OpenCapacity) = ((nint)grown, capacity);
        EndChange(ref series);
    }

    /// <summary>A sample not newer than the newest of its series: a retry, a late one, or an error.</summary>
    private AppendOutcome AppendOld(uint reference, ref HeadSeries series, long timeMs, double value)
    {
        var bits = BitConverter.DoubleToUInt64Bits(value);
        if (timeMs == series.Appender.LastTimeMs)
        {
            return bits == series.Appender.LastValueBits ? AppendOutcome.AlreadyThere : AppendOutcome.DuplicateTimestamp;
        }

        if (TryFind(ref series, timeMs, out var found))
        {
            return found == bits ? AppendOutcome.AlreadyThere : WindowReaches(timeMs) ? AppendOutcome.DuplicateTimestamp : AppendOutcome.OutOfOrder;
        }

        return AppendLate(reference, ref series, timeMs, value);
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

    private static bool TryFind(ref HeadSeries series, long timeMs, out ulong bits)
    {
        if (series.OpenCount > 0 && timeMs >= series.OpenMinMs)
        {
            return XorChunk.TryFind(new ReadOnlySpan<byte>((void*)series.Open, series.OpenCapacity), series.OpenCount, timeMs, out bits);
        }

        var chunks = new ReadOnlySpan<SealedChunk>((void*)series.Sealed, series.SealedCount);
        for (var i = chunks.Length - 1; i >= 0; i--)
        {
            if (timeMs >= chunks[i].MinMs)
            {
                return XorChunk.TryFind(chunks[i].Bytes, chunks[i].Count, timeMs, out bits);
            }
        }

        bits = 0;
        return false;
    }

    private static void BeginChange(ref HeadSeries series) => Interlocked.Increment(ref series.Version);

    private static void EndChange(ref HeadSeries series) => Volatile.Write(ref series.Version, series.Version + 1);

    private long NextBoundary(long timeMs)
    {
        var range = Options.BlockRangeMs;
        var floor = timeMs - (((timeMs % range) + range) % range);
        return floor > long.MaxValue - range ? long.MaxValue : floor + range;
    }
}
