using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Gateway.Cli;

/// <summary>Opens the cluster of the single process.</summary>
internal static class LocalCluster
{
    /// <summary>Opens the data folder; replay may go on when this returns.</summary>
    /// <exception cref="IOException">The folder cannot be used.</exception>
    /// <exception cref="DataDirectoryInUseException">Another process has the folder.</exception>
    public static ValueTask<ICluster> OpenAsync(GatewayOptions options, EngineOptions engine, ILoggerFactory loggers, CancellationToken stop) =>
        ValueTask.FromResult<ICluster>(InProcessCluster.Open(StorageOf(options), engine, TimeProvider.System, text => loggers.CreateLogger("storage").StorageReport(text)));

    /// <summary>The storage's options as the gateway's say.</summary>
    internal static StorageOptions StorageOf(GatewayOptions options)
    {
        var from = options.Storage;
        var defaults = new StorageOptions { DataDirectory = from.DataDir };
        return new StorageOptions
        {
            DataDirectory = from.DataDir,
            ShardsPerTenant = from.ShardsPerTenant == 0 ? defaults.ShardsPerTenant : from.ShardsPerTenant,
            Fsync = from.Fsync switch
            {
                FsyncMode.Always => FsyncPolicy.Always,
                FsyncMode.Never => FsyncPolicy.Never,
                _ => FsyncPolicy.Interval,
            },
            FsyncInterval = from.FsyncInterval,
            BlockRange = from.BlockRange,
            OutOfOrderWindow = from.OutOfOrderWindow,
            MaxFuture = from.MaxFuture,
            Archive = new ArchiveOptions { Retention = new RetentionOptions { Raw = from.Retention == TimeSpan.Zero ? null : from.Retention } },
        };
    }
}
