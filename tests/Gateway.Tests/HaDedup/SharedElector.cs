using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.Tests.HaDedup;

/// <summary>An elector that several gateways share, and that may be away, move, or answer later.</summary>
internal sealed class SharedElector(TimeProvider time, bool answersLater) : IReplicaElector
{
    private ReplicaElector elector = new(time);
    private int questions;

    /// <summary>How often it was asked.</summary>
    public int Questions => Volatile.Read(ref questions);

    /// <summary>True while it answers nobody.</summary>
    public bool IsAway { get; set; }

    /// <summary>It forgets everything, as one that is activated elsewhere.</summary>
    public void Move() => elector = new ReplicaElector(time);

    public async ValueTask<ReplicaElection> HearAsync(TenantId tenant, ReplicaSighting seen, CancellationToken cancellation)
    {
        Interlocked.Increment(ref questions);
        if (answersLater)
        {
            await Task.Yield();
        }

        return IsAway ? throw new IOException("away") : elector.Hear(seen);
    }
}
