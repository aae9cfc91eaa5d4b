using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>For operators of a cluster of silos: what it looks like, and hands on it.</summary>
public interface IClusterControl
{
    /// <summary>The silos and what each last said of itself; some seconds old.</summary>
    IReadOnlyList<ClusterSilo> Silos { get; }

    /// <summary>Hands a shard over to a silo; completes when the silo has it, or cannot get it.</summary>
    /// <exception cref="ShardUnavailableException">It can't be handed over now; it stays, or opens elsewhere.</exception>
    /// <exception cref="ArgumentException">There is no such silo, or it holds no shards.</exception>
    ValueTask MoveAsync(ShardId shard, NodeId to, CancellationToken cancellation);

    /// <summary>Makes a silo hand over all its shards and take none until it is started again; completes when it has none.</summary>
    /// <exception cref="IOException">The silo can't be reached.</exception>
    /// <exception cref="ArgumentException">There is no such silo, or it is the only one.</exception>
    ValueTask DrainAsync(NodeId silo, CancellationToken cancellation);
}

/// <summary>A silo as the others see it.</summary>
/// <param name="Address">Where the others reach it, with the generation of this run.</param>
/// <param name="State">What membership believes of it: active, joining, shutting down ….</param>
/// <param name="Card">Its disk, zone and HTTP address.</param>
/// <param name="Report">What it last said of itself; null when nothing was heard yet.</param>
public sealed record ClusterSilo(string Address, string State, SiloCard Card, SiloReport? Report);
