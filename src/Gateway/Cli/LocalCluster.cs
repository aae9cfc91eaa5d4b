using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Gateway.Cli;

/// <summary>Opens the cluster of the single process.</summary>
internal static class LocalCluster
{
    /// <summary>Opens the data folder; replay may go on when this returns.</summary>
    /// <exception cref="IOException">The folder cannot be used.</exception>
    /// <exception cref="DataDirectoryInUseException">Another process has the folder.</exception>
    /// <exception cref="ConfigurationException">A setting is a silo's.</exception>
    public static ValueTask<ICluster> OpenAsync(GatewayOptions options, EngineOptions engine, ILoggerFactory loggers, CancellationToken stop)
    {
        var defaults = new GatewayOptions();
        if (SettingCatalog.In("cluster").FirstOrDefault(s => s.Show(options) != s.Show(defaults)) is { } given)
        {
            throw new ConfigurationException($"{given.Key}: this is the single process, which has no cluster; start metrics-silo");
        }

        return ValueTask.FromResult<ICluster>(InProcessCluster.Open(StorageOf(options), engine, TimeProvider.System, text => loggers.CreateLogger("storage").StorageReport(text), StoreOf(options.Archive)));
    }

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
            ExemplarsPerTenant = from.MaxExemplars,
            Archive = ArchiveOf(options),
            Resharding = new ReshardingOptions { SplitSeries = from.SplitSeries, SplitSamplesPerSecond = from.SplitSamplesPerSecond, MergeAfter = from.MergeAfter },
            Tenants = options.Tenancy.OverridesFile.Length == 0 ? new Dictionary<TenantId, TenantStorageOptions>() : TenantOverrides.Read(options.Tenancy.OverridesFile, RetentionOf(options), options.Limits).ToDictionary(t => t.Key, t => t.Value.Storage),
        };
    }

    private static ArchiveOptions ArchiveOf(GatewayOptions options) => new()
    {
        WorkEvery = options.Archive.WorkEvery,
        DeleteDelay = options.Archive.DeleteDelay,
        OrphanGrace = options.Archive.OrphanGrace,
        CacheBytes = options.Archive.CacheSize.Bytes,
        LabelCacheBytes = options.Archive.LabelCacheSize.Bytes,
        FloatEncoding = options.Archive.ChunkEncoding == FloatEncoding.Xor ? ChunkEncoding.Xor : ChunkEncoding.Dense,
        Retention = RetentionOf(options),
        Compaction = new CompactionOptions { Ranges = options.Archive.Ranges(options.Storage.BlockRange) },
    };

    private static RetentionOptions RetentionOf(GatewayOptions options)
    {
        return new RetentionOptions
        {
            Raw = Kept(options.Storage.Retention),
            FiveMinutes = Kept(options.Storage.RetentionFiveMinutes),
            OneHour = Kept(options.Storage.RetentionOneHour),
            MaxBytes = options.Archive.RetentionSize.Bytes,
        };

        static TimeSpan? Kept(TimeSpan age) => age == TimeSpan.Zero ? null : age;
    }

    /// <summary>The object storage that the settings name; null for the data folder.</summary>
    internal static IObjectStore? StoreOf(ArchiveSettings settings)
    {
        if (settings.ObjstoreConfigFile.Length > 0 && settings.ObjstoreConfig.Length > 0)
        {
            throw new ConfigurationException("archive.objstore_config and archive.objstore_config_file: give one of the two");
        }

        try
        {
            return settings.ObjstoreConfigFile.Length > 0 ? ObjectStoreConfiguration.FromFile(settings.ObjstoreConfigFile).Open(TimeProvider.System)
                : settings.ObjstoreConfig.Length > 0 ? ObjectStoreConfiguration.Parse(settings.ObjstoreConfig, "--objstore.config").Open(TimeProvider.System)
                : null;
        }
        catch (ObjectStoreConfigurationException e)
        {
            throw new ConfigurationException(e.Message);
        }
    }
}
