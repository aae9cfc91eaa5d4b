namespace Metrics.Storage;

/// <summary>How blocks in object storage are read.</summary>
public sealed record BlockCacheOptions
{
    /// <summary>Where fetched pages lie; emptied when the cache is opened.</summary>
    public required string Folder { get; init; }

    /// <summary>The most bytes of pages on disk, beside what running queries hold. 10 GiB by default.</summary>
    public long MaxBytes { get; init; } = 10L * 1024 * 1024 * 1024;

    /// <summary>The most blocks that are to stay open. 2,000 by default: each holds three files or more, and a process often has 20,000 at most.</summary>
    public int MaxOpenBlocks { get; init; } = 2000;

    /// <summary>Requests in flight, those sent again beside others not counted. 32 by default: one connection does about 50 MB/s against S3, and 32 fill a 10 Gbit/s link.</summary>
    public int MaxRequests { get; init; } = 32;

    /// <summary>How long the first requests may take until they are sent again beside. 1 s by default; later it is twice the slowest twentieth of the recent ones.</summary>
    public TimeSpan FirstHedge { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The least that a request may take until it is sent again beside. 50 ms by default, so that a fast store is not asked twice for noise.</summary>
    public TimeSpan LeastHedge { get; init; } = TimeSpan.FromMilliseconds(50);
}
