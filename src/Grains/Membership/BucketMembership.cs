using Metrics.Cluster;
using Metrics.ObjectStore;

namespace Metrics.Grains;

/// <summary>The bucket in which membership tables are.</summary>
/// <param name="Store">The bucket; the caller's.</param>
public sealed record BucketMembership(IObjectStore Store)
{
    /// <summary>The table of a cluster.</summary>
    internal MembershipTable Table(string cluster) => new(Store, Uri.EscapeDataString(cluster));
}
