namespace Metrics.Cluster;

/// <summary>How long blocks are kept. Nothing is dropped that nobody asked to drop: the default keeps all.</summary>
public sealed record RetentionOptions
{
    /// <summary>How old samples of full resolution may become; null keeps them.</summary>
    public TimeSpan? Raw { get; init; }

    /// <summary>How old samples of five minutes may become; null keeps them.</summary>
    public TimeSpan? FiveMinutes { get; init; }

    /// <summary>How old samples of an hour may become; null keeps them.</summary>
    public TimeSpan? OneHour { get; init; }

    /// <summary>The most bytes of blocks a shard keeps: the oldest go first; 0 for no bound.</summary>
    public long MaxBytes { get; init; }

    /// <summary>The blocks that are to go: all their samples are too old, or newer ones fill the bound.</summary>
    internal IEnumerable<ManifestBlock> Expired(IReadOnlyList<ManifestBlock> blocks, DateTimeOffset now)
    {
        long kept = 0;
        foreach (var block in blocks.OrderByDescending(b => b.Meta.MaxTime).ThenByDescending(b => b.Meta.Ulid))
        {
            var age = block.ResolutionMs switch { 0 => Raw, <= 300_000 => FiveMinutes, _ => OneHour };
            kept += block.Bytes;
            if ((age is { } most && block.Meta.MaxTime <= (now - most).ToUnixTimeMilliseconds()) || (MaxBytes > 0 && kept > MaxBytes))
            {
                yield return block;
            }
        }
    }
}
