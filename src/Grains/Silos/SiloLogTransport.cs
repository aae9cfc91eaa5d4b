using Metrics.Cluster;
using Metrics.Model;
using Microsoft.Extensions.DependencyInjection;

namespace Metrics.Grains;

/// <summary>Messages between replicas, carried by silos; and which nodes may hold replicas. A node is opened before its silo runs, so both know nobody until <see cref="Attach"/>.</summary>
public sealed class SiloLogTransport : ILogTransport
{
    private volatile Attached? attached;

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> SendAsync(NodeId node, ReadOnlyMemory<byte> message, CancellationToken cancellation)
    {
        if (attached is not { } silos)
        {
            throw new IOException($"{node} can't be reached: this silo has not started yet");
        }

        if (silos.Directory.Find(node) is not { } silo)
        {
            throw new IOException($"{node} can't be reached: no silo has that node now");
        }

        try
        {
            return (await silos.Client.Of(silo).AnswerLogAsync(new Payload(message)).WaitAsync(cancellation)).Bytes;
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            throw new IOException($"{node} did not answer ({e.GetType().Name})", e); // What Orleans says of it goes on for pages.
        }
    }

    /// <summary>Nodes that may become followers of a shard, the best first; for <see cref="FollowerChoice"/>.</summary>
    public IReadOnlyList<NodeId> Followers(ShardId shard, IReadOnlyList<NodeId> members) => attached?.Directory.Followers(shard, members) ?? [];

    /// <summary>A member that another silo could take the place of; for <see cref="CrowdedMember"/>.</summary>
    public NodeId? Crowded(ShardId shard, IReadOnlyList<NodeId> members, NodeId owner) => attached is { } silos ? FollowerRanking.Crowded(shard, silos.Directory.Hosts, members, owner) : null;

    /// <summary>The silo is there.</summary>
    internal void Attach(IServiceProvider services) => attached = new Attached(services.GetRequiredService<SiloDirectory>(), services.GetRequiredService<SiloServiceClient>());

    private sealed record Attached(SiloDirectory Directory, SiloServiceClient Client);
}
