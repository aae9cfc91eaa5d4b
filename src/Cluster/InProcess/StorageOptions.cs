using System.Globalization;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>How one process keeps tenants and shards.</summary>
public sealed record StorageOptions
{
    /// <summary>The folder of everything; made when absent, owned by one process at a time.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Shards of a new tenant: a power of two, 1 to 1024. Default: as many as there are processors, rounded up, at least 2, so that all of them
    /// work for one tenant. A tenant keeps the number it was made with.</summary>
    public int ShardsPerTenant { get; init; } = Math.Clamp((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount), 2, 1024);

    /// <summary>When logs are forced to disk. Default <see cref="FsyncPolicy.Interval"/>; Prometheus does not flush its log between segments at all.</summary>
    public FsyncPolicy Fsync { get; init; } = FsyncPolicy.Interval;

    /// <summary>How often with <see cref="FsyncPolicy.Interval"/>: 1 ms to 1 min. Default 100 ms, which costs ten small writes a second for each log in use.</summary>
    public TimeSpan FsyncInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The time one block covers: 1 min to 1 day, aligned to multiples of itself since the epoch. Default 2 h, as
    /// Prometheus. The head holds up to one and a half times as much.</summary>
    public TimeSpan BlockRange { get; init; } = TimeSpan.FromHours(2);

    /// <summary>How long a head may go without a write before what it holds is cut into blocks and its memory freed: 1 min to 7 days. Default 1 h, half
    /// a block range, so that a tenant that sends rarely does not leave crumbs.</summary>
    public TimeSpan IdleCut { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How much older than the newest sample of its shard a sample may be: 0 to 365 days. Default 30 min, so that what is sent again after an outage always lands; 0 takes none, as
    /// Prometheus does by default.</summary>
    public TimeSpan OutOfOrderWindow { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How far ahead of this machine's clock a sample may be: 0 (no bound) to 365 days. Default 10 min, as Prometheus and Mimir.</summary>
    public TimeSpan MaxFuture { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Exemplars kept of a tenant, the newest: 0 (none) to 10 million. Default 100,000, Prometheus's; about 200 bytes each, taken as they come.</summary>
    public int ExemplarsPerTenant { get; init; } = 100_000;

    /// <summary>The part of one shard: as much as it has of the hashes.</summary>
    internal int ExemplarsPerShard => (int)(((long)ExemplarsPerTenant + (1L << ShardBits) - 1) >> ShardBits);

    /// <summary>The length of the prefix that the shard's hashes share.</summary>
    internal int ShardBits { get; init; }

    /// <summary>When shards are split and merged.</summary>
    public ReshardingOptions Resharding { get; init; } = new();

    /// <summary>How blocks are kept for long.</summary>
    public ArchiveOptions Archive { get; init; } = new();

    /// <summary>How heads share their work between memory and disk; for tests, which make everything small.</summary>
    internal HeadMemoryOptions HeadMemory { get; init; } = new();

    /// <summary>The active series of the tenant, which its shards count together.</summary>
    internal ActiveSeries ActiveSeries { get; init; } = new(static () => default);

    /// <summary>What single tenants have otherwise.</summary>
    public IReadOnlyDictionary<TenantId, TenantStorageOptions> Tenants { get; init; } = new Dictionary<TenantId, TenantStorageOptions>();

    /// <summary>The options as they are for a tenant.</summary>
    public StorageOptions Of(TenantId tenant) => !Tenants.TryGetValue(tenant, out var own) ? this : this with
    {
        OutOfOrderWindow = own.OutOfOrderWindow ?? OutOfOrderWindow,
        Archive = Archive with { Retention = own.Retention ?? Archive.Retention },
    };

    /// <summary>The options as they are for a shard.</summary>
    internal StorageOptions Of(ShardId shard) => Of(shard.Tenant) with { ShardBits = shard.Range.Bits };

    /// <summary>Logs replayed at once at a start: 1 to 64. Default: one for each processor, since replay is bound by it.</summary>
    public int ReplayConcurrency { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 64);

    /// <summary>Complaints, each naming key, value and what is allowed; none when all is well.</summary>
    public IEnumerable<string> Validate()
    {
        if (DataDirectory.Length == 0)
        {
            yield return "data-directory: got '', want the path of a folder";
        }

        if (ShardsPerTenant is < 1 or > 1024 || !System.Numerics.BitOperations.IsPow2(ShardsPerTenant))
        {
            yield return $"shards-per-tenant: got {ShardsPerTenant}, want a power of two from 1 to 1024";
        }

        if (!Enum.IsDefined(Fsync))
        {
            yield return $"fsync: got {(int)Fsync}, want interval, always or never";
        }

        var day = TimeSpan.FromDays(1);
        foreach (var complaint in new[]
        {
            Check("fsync-interval", FsyncInterval, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1)),
            Check("block-range", BlockRange, TimeSpan.FromMinutes(1), day),
            Check("idle-cut", IdleCut, TimeSpan.FromMinutes(1), 7 * day),
            Check("out-of-order-window", OutOfOrderWindow, TimeSpan.Zero, 365 * day),
            Check("max-future", MaxFuture, TimeSpan.Zero, 365 * day),
        }.Concat(Archive.Validate()).Concat(Resharding.Validate()))
        {
            if (complaint is not null)
            {
                yield return complaint;
            }
        }

        if (ExemplarsPerTenant is < 0 or > 10_000_000)
        {
            yield return $"exemplars-per-tenant: got {ExemplarsPerTenant}, want 0 to 10000000";
        }

        if (ReplayConcurrency is < 1 or > 64)
        {
            yield return $"replay-concurrency: got {ReplayConcurrency}, want 1 to 64";
        }
    }

    internal static string? Check(string key, TimeSpan value, TimeSpan least, TimeSpan most) =>
        value >= least && value <= most ? null : string.Create(CultureInfo.InvariantCulture, $"{key}: got {value:c}, want {least:c} to {most:c}");
}

/// <summary>How a head shares its work between memory and disk.</summary>
internal sealed record HeadMemoryOptions
{
    /// <summary>Bytes of sealed chunks that a head may have in memory before they go to disk. Small heads, of which there may be thousands, have no files.</summary>
    public long SpillBytes { get; init; } = 1024 * 1024;

    /// <summary>The size of a file of chunks.</summary>
    public long SpillFileBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Bytes of log since the last snapshot of the head before the next one is made, when the last one was smaller: a fraction of a second of replay.</summary>
    public long SnapshotLogBytes { get; init; } = 32 * 1024 * 1024;
}
