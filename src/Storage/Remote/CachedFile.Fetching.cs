using System.Buffers;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Storage;

/// <content>How pages come.</content>
internal sealed partial class CachedFile
{
    /// <summary>The most in one request, 4 MiB: at 50 MB/s that takes several times a round trip, so larger ones gain little and can't run side by side.</summary>
    private const int MostPagesInRequest = 4 * 1024 * 1024 / PageBytes;

    // A miss where the last one ended is somebody reading from the front to the back: a merge, or the lists of all values of a name. Each reads twice as far ahead as the last.
    private FileRange ReadAhead(FileRange wanted)
    {
        lock (gate)
        {
            var first = wanted.Offset / PageBytes;
            while (first < pageCount - 1 && present.Has(first))
            {
                first++;
            }

            ahead = first == nextMiss && first > 0 ? Math.Min(Math.Max(2, ahead * 2), MostPagesInRequest) : 0;
            var end = Math.Min(((wanted.End + PageBytes - 1) / PageBytes) + ahead, pageCount);
            nextMiss = end;
            return wanted with { Length = Math.Max(wanted.End, Math.Min(end * PageBytes, Length)) - wanted.Offset };
        }
    }

    // The callers are threads of the pool that evaluate queries, as many as queries are let in; waiting on one of them is what reading a slow disk would do too.
    private void Fill(IReadOnlyList<FileRange> ranges, long wantedBytes, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        block.OnMiss();
        var (own, awaited) = Claim(ranges, wantedBytes);
        foreach (var run in own)
        {
            _ = FetchAsync(run);
        }

        try
        {
            foreach (var run in awaited)
            {
                using (ProcessorTurn.Aside())
                {
                    run.Done.WaitAsync(cancellation).GetAwaiter().GetResult();
                }
            }
        }
        finally
        {
            awaited.ForEach(Leave);
        }
    }

    private (List<PageRun> Own, List<PageRun> Awaited) Claim(IReadOnlyList<FileRange> ranges, long wantedBytes)
    {
        var own = new List<PageRun>();
        var awaited = new List<PageRun>();
        long next = 0, hit = 0, missed = 0;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            foreach (var range in ranges)
            {
                var last = (Math.Min(range.End, Length) - 1) / PageBytes;
                for (var page = Math.Max(next, range.Offset / PageBytes); page <= last; page++)
                {
                    next = page + 1;
                    if (present.Has(page))
                    {
                        hit++;
                        continue;
                    }

                    missed++;
                    if (!inFlight.TryGetValue(page, out var run))
                    {
                        inFlight[page] = Extend(own, page);
                    }
                    else if (awaited.Count == 0 || awaited[^1] != run)
                    {
                        run.Join();
                        awaited.Add(run);
                    }
                }
            }

            own.ForEach(r => r.Join());
        }

        awaited.AddRange(own);
        fetcher.Instruments.OnWanted(wantedBytes, hit, missed);
        return (own, awaited);
    }

    private static PageRun Extend(List<PageRun> runs, long page)
    {
        if (runs.Count > 0 && runs[^1].End == page && runs[^1].Count < MostPagesInRequest)
        {
            runs[^1].Count++;
        }
        else
        {
            runs.Add(new PageRun(page));
        }

        return runs[^1];
    }

    // A query that is given up takes along only what nobody else waits for.
    private void Leave(PageRun run)
    {
        lock (gate)
        {
            if (!run.Leave())
            {
                return;
            }

            Forget(run);
        }

        run.Abandon();
    }

    private void Forget(PageRun run)
    {
        for (var page = run.First; page < run.End; page++)
        {
            if (inFlight.GetValueOrDefault(page) == run)
            {
                inFlight.Remove(page);
            }
        }
    }

    // Whatever fails is told to those who wait.
    private async Task FetchAsync(PageRun run)
    {
        var offset = run.First * PageBytes;
        var range = new FileRange(offset, Math.Min((long)run.Count * PageBytes, Length - offset));
        Exception? failure = null;
        try
        {
            var bytes = await fetcher.FetchAsync(key, range, run.Abandoned).ConfigureAwait(false);
            try
            {
                Store(run, bytes.AsSpan(0, (int)range.Length), offset);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(bytes);
            }
        }
        catch (Exception e)
        {
            failure = e is OperationCanceledException && !run.Abandoned.IsCancellationRequested ? new ObjectStoreException($"{Name}: offset {offset}: reading {range.Length} bytes was given up", e) : e;
            lock (gate)
            {
                Forget(run);
            }
        }

        run.Finish(failure);
    }

    // Written under the gate, so that no hole is punched between the writing and the saying so.
    private void Store(PageRun run, ReadOnlySpan<byte> bytes, long offset)
    {
        long came = 0;
        var now = block.Now;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            RandomAccess.Write(file, bytes, offset);
            Forget(run);
            for (var page = run.First; page < run.End; page++)
            {
                Volatile.Write(ref readAt[page], now);
                came += present.Add(page) ? Math.Min(PageBytes, Length - (page * PageBytes)) : 0;
            }

            heldBytes += came;

            // Told under the gate, so that closing the file never gives back what was not yet counted.
            block.OnFetched(came);
        }

        block.MakeRoom();
    }

    /// <summary>Reads pages from the store, past the cache; the buffer is the caller's.</summary>
    private byte[] FetchPast(FileRange range)
    {
        byte[] rented;
        using (ProcessorTurn.Aside())
        {
            rented = fetcher.FetchAsync(key, range, ReadCancellation.Current).GetAwaiter().GetResult();
        }

        try
        {
            return rented.AsSpan(0, (int)range.Length).ToArray();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Puts verified bytes into pages that are present. Who holds a span of them sees no change, for it holds the same bytes or bytes that do not verify.</summary>
    private void Mend(long offset, ReadOnlySpan<byte> verified)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (IsPresent(offset, verified.Length))
            {
                RandomAccess.Write(file, verified, offset);
            }
        }

        fetcher.Instruments.OnMended();
    }

    // Reads whole pages and keeps the last, since a section is read in two or three steps.
    private sealed class RefetchedFile(CachedFile cached) : IRefetchedFile
    {
        private byte[] last = [];
        private long lastOffset;

        public string Name => cached.Name;

        public long Length => cached.Length;

        public ReadOnlySpan<byte> Range(long offset, int length)
        {
            if (offset < 0 || length < 0 || offset > Length - length)
            {
                return cached.map.Range(offset, length); // Raises the error for it.
            }

            if (offset < lastOffset || offset + length > lastOffset + last.Length)
            {
                var start = offset / PageBytes * PageBytes;
                last = cached.FetchPast(new FileRange(start, Math.Min(offset + length + PageBytes, Length) - start));
                lastOffset = start;
            }

            return last.AsSpan((int)(offset - lastOffset), length);
        }

        public void Mend(long offset, int length) => cached.Mend(offset, Range(offset, length));

        public void Dispose()
        {
        }
    }
}
