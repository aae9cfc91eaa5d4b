namespace Metrics.Storage;

/// <summary>What reading blocks from object storage has cost so far. Thread-safe; numbers only rise.</summary>
public sealed class BlockCacheInstruments
{
    private long requests;
    private long hedgedRequests;
    private long requestedBytes;
    private long missingBytes;
    private long hitPages;
    private long missedPages;
    private long evictedBytes;
    private long mended;

    /// <summary>Requests sent to the store.</summary>
    public long Requests => Interlocked.Read(ref requests);

    /// <summary>Of those, requests sent because another took long.</summary>
    public long HedgedRequests => Interlocked.Read(ref hedgedRequests);

    /// <summary>Bytes asked of the store.</summary>
    public long RequestedBytes => Interlocked.Read(ref requestedBytes);

    /// <summary>Bytes that readers wanted and that were not there, without what rounding to pages, joining and reading ahead adds: to be held against <see cref="RequestedBytes"/>.</summary>
    public long MissingBytes => Interlocked.Read(ref missingBytes);

    /// <summary>Pages that a prefetch wanted and that were there.</summary>
    public long HitPages => Interlocked.Read(ref hitPages);

    /// <summary>Pages that were fetched, or waited for because another reader was fetching them.</summary>
    public long MissedPages => Interlocked.Read(ref missedPages);

    /// <summary>Bytes of pages dropped to make room.</summary>
    public long EvictedBytes => Interlocked.Read(ref evictedBytes);

    /// <summary>Sections whose cached bytes were wrong and those in the store right.</summary>
    public long MendedSections => Interlocked.Read(ref mended);

    internal void OnRequest(long bytes)
    {
        Interlocked.Increment(ref requests);
        Interlocked.Add(ref requestedBytes, bytes);
    }

    internal void OnHedge() => Interlocked.Increment(ref hedgedRequests);

    internal void OnWanted(long bytesMissing, long pagesHit, long pagesMissed)
    {
        Interlocked.Add(ref missingBytes, bytesMissing);
        Interlocked.Add(ref hitPages, pagesHit);
        Interlocked.Add(ref missedPages, pagesMissed);
    }

    internal void OnEvicted(long bytes) => Interlocked.Add(ref evictedBytes, bytes);

    internal void OnMended() => Interlocked.Increment(ref mended);
}
