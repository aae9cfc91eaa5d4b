using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>How a shard's store moves samples from the head into blocks and lets go of what is covered.</summary>
internal sealed partial class ShardStore
{
    /// <summary>Series whose chunks are dropped in one go under the appender's lock: about a millisecond.</summary>
    private const int TruncateSlice = 4096;

    /// <summary>A head is rebuilt when more than one in so many of its series hold nothing.</summary>
    private const int IdleShare = 4;

    private readonly Lock cutting = new();
    private long restedAfter; // The last append before the log was laid to rest.

    /// <inheritdoc/>
    public void Maintain(CancellationToken cancellation)
    {
        CutWhile(DueCutEnd, cancellation);
        lock (cutting)
        {
            SpillWhenDue();
            SnapshotWhenDue(afterCut: false);
            RestWhenIdle();
        }
    }

    /// <inheritdoc/>
    public async Task ArchiveAsync(CancellationToken cancellation)
    {
        await archive.WorkAsync(cancellation);
        if (salvage is not null)
        {
            await salvage.RunWhenDueAsync(cancellation);
        }

        await TruncatePublishedAsync(cancellation);
    }

    /// <inheritdoc/>
    public void CutAll(CancellationToken cancellation) => CutWhile(NextCutEnd, cancellation);

    /// <inheritdoc/>
    public void CutBeforeSeal(CancellationToken cancellation) => CutWhile(WhatIsHere(), cancellation, onlyCuts: true);

    /// <inheritdoc/>
    public async Task DeleteAsync(IReadOnlyList<IReadOnlyList<Matcher>> selectors, TimeRange range, CancellationToken cancellation)
    {
        // The head first becomes blocks: what is deleted is then all in blocks, and a sample sent again later is new.
        CutAll(cancellation);
        await archive.DeleteAsync(selectors, range, cancellation);
    }

    /// <inheritdoc/>
    public Task CleanDeletedAsync(CancellationToken cancellation) => archive.CleanDeletedAsync(cancellation);

    /// <inheritdoc/>
    public Task AdoptAsync(Ulid block, CancellationToken cancellation) => archive.AdoptAsync(block, cancellation);

    /// <inheritdoc/>
    public Task SnapshotAsync(string folder, CancellationToken cancellation) => archive.SnapshotAsync(folder, cancellation);

    /// <inheritdoc/>
    public Task PublishAsync(CancellationToken cancellation) => archive.PublishPendingAsync(cancellation);

    /// <inheritdoc/>
    public Task NarrowAsync(CancellationToken cancellation) => archive.NarrowAsync(cancellation);

    /// <inheritdoc/>
    public async Task SealAsync(SealRequest request, CancellationToken cancellation)
    {
        CutWhile(NextCutEnd, cancellation, onlyCuts: true);
        step("a sealed head is cut");
        lock (appending)
        {
            if (head.ChunkCount > 0 || head.HasLateSamples)
            {
                throw new InvalidOperationException("the head of a shard that takes no writes holds something after its cut");
            }
        }

        // Beside the seal, for writers wait.
        var leaving = archive.LeaveExemplarsAsync(request, [.. Exemplars(TimeRange.All).Select(static e => new HandedExemplar(e.Series, e.Exemplar))], cancellation);
        await archive.SealAsync(request, cancellation);
        await leaving;
    }

    /// <summary>Takes in what the shard's parents left for it; before anybody writes.</summary>
    private Task TakeExemplarsAsync(CancellationToken cancellation) => archive.TakeExemplarsAsync(
        async handed =>
        {
            long position;
            lock (appending)
            {
                appender.Adopt(handed);
                if (appender.Record.IsEmpty)
                {
                    return;
                }

                position = log.Append(appender.Record.Encode());
                coverage.Logged(position, long.MinValue);
            }

            await log.WaitDurableAsync(position);
        },
        cancellation);

    /// <summary>A log that nobody writes to costs no file. That of a shard with replicas is one of its node's replicas, which look after themselves.</summary>
    private void RestWhenIdle()
    {
        if (local is not null && !disposed && Volatile.Read(ref lastAppend) is var last && last != restedAfter && time.GetElapsedTime(last) >= ShardNode.RestEvery)
        {
            local.Rest();
            restedAfter = last;
        }
    }

    /// <summary>The ends of the blocks that take what came in order until now, and what came late before the first of them: not all that is written meanwhile.</summary>
    private Func<long?> WhatIsHere()
    {
        long newest;
        lock (appending)
        {
            newest = head.MaxTimeMs;
        }

        var isFirst = true;
        return () =>
        {
            lock (appending)
            {
                var goesOn = isFirst || Math.Max(head.MinTimeMs, head.MinValidMs) <= newest;
                isFirst = false;
                return goesOn ? NextCutEnd() : null;
            }
        };
    }

    /// <summary>Cuts as long as there is an end.</summary>
    /// <param name="end">The exclusive end of the next block, or null.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <param name="onlyCuts">For a head that has no future: the series that hold nothing any more stay, so that they need not be sent again meanwhile, and so does the log.</param>
    private void CutWhile(Func<long?> end, CancellationToken cancellation, bool onlyCuts = false)
    {
        lock (cutting)
        {
            var cut = false;
            while (end() is { } endMs)
            {
                Cut(endMs, cancellation);
                cut = true;
            }

            if (cut && !onlyCuts)
            {
                if (local is not null)
                {
                    ShedIdleSeries();
                    TruncateAsync(CancellationToken.None).GetAwaiter().GetResult(); // A local log is done when it returns.
                }

                SnapshotWhenDue(afterCut: true);
            }
        }
    }

    /// <summary>The exclusive end of the next block, or null when none is due.</summary>
    private long? DueCutEnd()
    {
        lock (appending)
        {
            if (NextCutEnd() is not { } end)
            {
                return null;
            }

            // Late samples alone do not make a cut due; they go with the next one.
            var first = Math.Max(head.MinTimeMs, head.MinValidMs);
            return (double)head.MaxTimeMs - first > 1.5 * head.Options.BlockRangeMs ? AlignedEnd(first)
                : time.GetElapsedTime(lastAppend) >= options.IdleCut ? end
                : null;
        }
    }

    /// <summary>The exclusive end of the next block that takes whatever is there, or null when nothing is.</summary>
    private long? NextCutEnd()
    {
        lock (appending)
        {
            return head.ChunkCount > 0 && head.MinTimeMs <= head.MaxTimeMs ? Math.Min(AlignedEnd(Math.Max(head.MinTimeMs, head.MinValidMs)), head.MaxTimeMs + 1)
                : head.HasLateSamples ? head.MinValidMs
                : null;
        }
    }

    private void Cut(long endMs, CancellationToken cancellation)
    {
        IReadOnlyList<TimeRange> late;
        LogCut cut;
        var first = Math.Max(head.MinTimeMs, head.MinValidMs);
        lock (appending)
        {
            // From here on what comes in order is not older, and what comes late is kept apart: the records so far hold all that the blocks will.
            late = head.BeginCut(endMs);
            cut = new LogCut(endMs, log.NextRecord, log.Lineage);
        }

        Publish(endMs, first, late, cut, cancellation);
        uint cursor = 0;
        var done = false;
        while (!done)
        {
            lock (appending)
            {
                done = head.TruncateSlice(endMs, ref cursor, TruncateSlice);
            }
        }
    }

    /// <summary>Writes a block for each block range that has samples before the end, the newest last: it alone says what is covered, for then all are there.</summary>
    private void Publish(long endMs, long firstMs, IReadOnlyList<TimeRange> late, LogCut cut, CancellationToken cancellation)
    {
        var ranges = CutRanges.Of(firstMs, endMs, late, head.Options.BlockRangeMs);
        using var view = OpenView();
        for (var i = 0; i < ranges.Count; i++)
        {
            using var writer = archive.Write(ranges[i], i == ranges.Count - 1 ? cut : null);
            if (HeadCut.Write(view, ranges[i], writer, cancellation) > 0)
            {
                archive.Add(writer.Finish(), cut.FirstRecord);
            }
        }
    }

    private long AlignedEnd(long timeMs) => CutRanges.AlignedStart(timeMs, head.Options.BlockRangeMs) + head.Options.BlockRangeMs;

    private void ShedIdleSeries()
    {
        lock (appending)
        {
            // A tenant that may have no more series is not kept waiting for the place of those that ended.
            if (head.IdleSeriesCount * IdleShare > head.SeriesCount || (head.IdleSeriesCount > 0 && active.IsFull))
            {
                var rebuilt = head.Rebuilt();
                var old = head;
                SetAside(exemplars.TakeOut(rebuilt));
                Volatile.Write(ref head, rebuilt);
                appender = new HeadAppender(rebuilt, exemplars, active);
                active.Settle(rebuilt);
                old.Dispose();
            }

            active.Follow(head);
        }
    }

    /// <summary>Keeps the exemplars of series that go, with their labels.</summary>
    private void SetAside(List<Exemplar> ofGone)
    {
        if (ofGone.Count > 0)
        {
            using var view = OpenView();
            var labelled = ofGone.Select(e => new HandedExemplar(view.FindLabels(e.Series) ?? Labels.Empty, e));
            exemplarsOfGone = [.. exemplarsOfGone.Concat(labelled).TakeLast(options.ExemplarsPerShard)];
        }
    }

    /// <summary>Lets go of what is published, where the log outlives this node: a block that waits for its upload is on this node alone, so until then the log keeps what it holds.</summary>
    private async Task TruncatePublishedAsync(CancellationToken cancellation)
    {
        if (local is not null)
        {
            return;
        }

        Task truncated;
        lock (cutting)
        {
            // Series are shed only with nothing pending, too: else a sample that only a pending block and the log have could be of a series that the checkpoint lacks.
            if (disposed || archive.PendingCount > 0)
            {
                return;
            }

            ShedIdleSeries();
            truncated = TruncateAsync(cancellation);
        }

        await truncated;
    }

    /// <summary>Lets go of the log that blocks cover. What has to be read of the head is read when this returns its task.</summary>
    private async Task TruncateAsync(CancellationToken cancellation)
    {
        if (archive.Cuts.FirstOrDefault(c => c.Log == log.Lineage) is not { Log: not null } cut)
        {
            return;
        }

        long needed;
        lock (appending)
        {
            needed = coverage.FirstNeeded(cut, log.NextRecord);
        }

        step("the log is about to be truncated");
        await log.TruncateBeforeAsync(needed, WriteSeries, cancellation);
        step("the log is truncated");
        Volatile.Write(ref logBytes, log.Bytes);
    }

    private void WriteSeries(LogCheckpointWriter checkpoint)
    {
        using var view = OpenView();
        var record = new WriteRecord();
        view.VisitSeries((reference, labels) =>
        {
            record.AddSeries(reference, labels.Encoded);
            if (record.SeriesCount == 1000)
            {
                checkpoint.Add(record.Encode());
                record.Clear();
            }
        });
        if (!record.IsEmpty)
        {
            checkpoint.Add(record.Encode());
        }
    }
}
