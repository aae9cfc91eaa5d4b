using Metrics.Cluster;
using Metrics.ObjectStore;

namespace Metrics.Grains;

/// <summary>The bucket in which membership tables are.</summary>
/// <param name="Store">The bucket; the caller's.</param>
public sealed record BucketMembership(IObjectStore Store)
{
    /// <summary>Declares all members of a cluster dead, should none of them give a sign of life for so long; until it is cancelled. For a silo that waits to join (<see cref="SilentMembers"/>).</summary>
    public Task BurySilentAsync(string cluster, TimeSpan silence, TimeProvider time, Action<string> report, CancellationToken cancellation) => new SilentMembers(Table(cluster), silence, time).WatchAsync(report, cancellation);

    /// <summary>The table of a cluster.</summary>
    internal MembershipTable Table(string cluster) => new(Store, Uri.EscapeDataString(cluster));
}
