namespace Metrics.Gateway.Configuration;

/// <summary>When an appended batch is forced to the disk.</summary>
public enum FsyncMode
{
    /// <summary>Every <see cref="LocalStorageOptions.FsyncInterval"/>: a crash of the process loses nothing, a loss of power at most that much.</summary>
    Interval,

    /// <summary>Before every answer: a loss of power loses nothing acknowledged.</summary>
    Always,

    /// <summary>When the operating system likes.</summary>
    Never,
}

/// <summary>Where data lies and how.</summary>
public sealed class LocalStorageOptions
{
    /// <summary>The folder of everything; made when absent, owned by one process at a time.</summary>
    [Setting("Folder that holds everything; one process at a time.", Flag = "data-dir")]
    public string DataDir { get; set; } = "./data";

    /// <summary>Shards a new tenant begins with, a power of two; 0 takes as many as there are processors, at least 2, so that all work for one tenant, and in a cluster 1, since shards split by themselves and a thousand small
    /// tenants want no more. Existing tenants keep theirs; they are never merged into fewer.</summary>
    [Setting("Shards that a new tenant begins with, a power of two; 0 for as many as there are processors, and in a cluster 1.", Min = "0", Max = "1024")]
    public int ShardsPerTenant { get; set; }

    /// <summary>About two GiB of head, and some seconds for each cut of it.</summary>
    [Setting("Active series beyond which a shard is split in two; 0 for never.", Min = "0")]
    public long SplitSeries { get; set; } = 2_000_000;

    /// <summary>Half of what one processor takes. In the single process a tenant is split for this only into as many shards as there are processors.</summary>
    [Setting("Samples a second, over some minutes, beyond which a shard is split in two; 0 for never.", Min = "0")]
    public long SplitSamplesPerSecond { get; set; } = 300_000;

    /// <summary>Long enough for a shard that was split to have its series back, and for a quiet night not to be taken for the end.</summary>
    [Setting("How long two neighbouring shards must together do less than a quarter of what splits one before they are merged; 0 for never.", Min = "0", Max = "30d")]
    public TimeSpan MergeAfter { get; set; } = TimeSpan.FromHours(1);

    /// <summary>When the log is forced to disk.</summary>
    [Setting("When the log is forced to disk: interval, always or never.")]
    public FsyncMode Fsync { get; set; } = FsyncMode.Interval;

    /// <summary>With <see cref="FsyncMode.Interval"/>: how often. 100 ms bounds what a loss of power takes and costs ten small writes a second.</summary>
    [Setting("How often, when fsync is interval.", Min = "1ms", Max = "1m")]
    public TimeSpan FsyncInterval { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The time one block covers, and so how much the head holds (1.5 times as much). Prometheus's two hours.</summary>
    [Setting("Time that one block covers; the head holds up to one and a half times as much.", Min = "1m", Max = "1d")]
    public TimeSpan BlockRange { get; set; } = TimeSpan.FromHours(2);

    /// <summary>How much older than the newest sample of the shard a sample may be and still be taken out of order: half an hour, so that what is sent again after an outage or a restart always
    /// lands. 0, as in Prometheus, takes none.</summary>
    [Setting("How far out of order a sample may be; 0 for not at all.", Min = "0", Max = "1y")]
    public TimeSpan OutOfOrderWindow { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>The newest exemplars of a tenant that are kept, in memory and in the log. Prometheus's number.</summary>
    [Setting("Exemplars kept of a tenant, the newest; 0 keeps none.", Min = "0", Max = "10000000")]
    public int MaxExemplars { get; set; } = 100_000;

    /// <summary>How far ahead of this machine's clock a sample may be. Prometheus's and Mimir's ten minutes.</summary>
    [Setting("How far in the future a sample may be; 0 for any.", Min = "0", Max = "1y")]
    public TimeSpan MaxFuture { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Blocks whose every sample is older are deleted; 0 keeps all, for nothing is deleted that nobody asked to delete.</summary>
    [Setting("Age at which data of full resolution is deleted; 0 keeps all.", Min = "0", Max = "100y")]
    public TimeSpan Retention { get; set; } = TimeSpan.Zero;

    /// <summary>The same of what was downsampled to five minutes.</summary>
    [Setting("Age at which data downsampled to five minutes is deleted; 0 keeps all.", Min = "0", Max = "100y")]
    public TimeSpan RetentionFiveMinutes { get; set; } = TimeSpan.Zero;

    /// <summary>The same of what was downsampled to an hour.</summary>
    [Setting("Age at which data downsampled to an hour is deleted; 0 keeps all.", Min = "0", Max = "100y")]
    public TimeSpan RetentionOneHour { get; set; } = TimeSpan.Zero;
}
