using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>What the archives of all shards of a process share.</summary>
/// <param name="Store">Where blocks go.</param>
/// <param name="Opener">How they are read from there.</param>
/// <param name="Options">How they are kept.</param>
/// <param name="Time">The clock.</param>
internal sealed record ArchiveServices(IObjectStore Store, IBlockOpener Opener, ArchiveOptions Options, TimeProvider Time);
