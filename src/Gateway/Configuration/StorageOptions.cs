namespace Metrics.Gateway.Configuration;

/// <summary>When an appended batch is forced to the disk.</summary>
public enum FsyncMode
{
    /// <summary>Every <see cref="StorageOptions.FsyncInterval"/>: a crash of the process loses nothing, a loss of power at most that much.</summary>
    Interval,

    /// <summary>Before every answer: a loss of power loses nothing acknowledged.</summary>
    Always,

    /// <summary>When the operating system likes.</summary>
    Never,
}

/// <summary>Where data lies and how.</summary>
public sealed class StorageOptions
{
    /// <summary>The folder of everything; made when absent, owned by one process at a time.</summary>
    [Setting("Folder that holds everything; one process at a time.", Flag = "data-dir")]
    public string DataDir { get; set; } = "./data";

    /// <summary>Shards a new tenant gets, a power of two. 4 keep two cores busy and one hot shard from stopping the rest; existing tenants keep theirs.</summary>
    [Setting("Shards of a new tenant, a power of two.", Min = "1", Max = "1024")]
    public int ShardsPerTenant { get; set; } = 4;

    /// <summary>When the log is forced to disk.</summary>
    [Setting("When the log is forced to disk: interval, always or never.")]
    public FsyncMode Fsync { get; set; } = FsyncMode.Interval;

    /// <summary>With <see cref="FsyncMode.Interval"/>: how often. 100 ms bounds what a loss of power takes and costs ten small writes a second.</summary>
    [Setting("How often, when fsync is interval.", Min = "1ms", Max = "1m")]
    public TimeSpan FsyncInterval { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The time one block covers, and so how much the head holds (1.5 times as much). Prometheus's two hours.</summary>
    [Setting("Time that one block covers; the head holds up to one and a half times as much.", Min = "1m", Max = "1d")]
    public TimeSpan BlockRange { get; set; } = TimeSpan.FromHours(2);

    /// <summary>How much older than the newest sample of the shard a sample may be and still be taken out of order. 0, as in Prometheus, takes none.</summary>
    [Setting("How far out of order a sample may be; 0 for not at all.", Min = "0", Max = "1y")]
    public TimeSpan OutOfOrderWindow { get; set; } = TimeSpan.Zero;

    /// <summary>How far ahead of this machine's clock a sample may be. Prometheus's and Mimir's ten minutes.</summary>
    [Setting("How far in the future a sample may be.", Min = "0", Max = "1y")]
    public TimeSpan MaxFuture { get; set; } = TimeSpan.FromMinutes(10);
}
