using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>What the archives of all shards of a process share.</summary>
/// <param name="Store">Where blocks go.</param>
/// <param name="Opener">How they are read from there.</param>
/// <param name="Options">How they are kept.</param>
/// <param name="Time">The clock.</param>
internal sealed record ArchiveServices(IObjectStore Store, IBlockOpener Opener, ArchiveOptions Options, TimeProvider Time)
{
    /// <summary>The shard maps of tenants, to find who shares a block.</summary>
    public TenantShardMaps Maps { get; } = new(Store, shardsPerTenant: 1);

    /// <summary>What blocks answered about their labels.</summary>
    public LabelAnswers Labels { get; } = new(Options.LabelCacheBytes);

    /// <summary>What is broken on purpose.</summary>
    public Mutant Mutant { get; init; }

    /// <summary>The services over a store; what is read of blocks that are far away is kept in the data directory.</summary>
    public static ArchiveServices Over(IObjectStore store, DataDirectory data, ArchiveOptions options, TimeProvider time)
    {
        IBlockOpener opener = store.LocalPath("any") is not null
            ? new LocalBlockOpener(store)
            : new RemoteBlockOpener(new BlockCache(store, new BlockCacheOptions { Folder = data.Cache, MaxBytes = options.CacheBytes }, time));
        return new ArchiveServices(store, opener, options, time);
    }
}
