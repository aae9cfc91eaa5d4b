using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>What the parts of one ownership of a log share.</summary>
/// <param name="Log">Which log.</param>
/// <param name="Epoch">The owner's epoch.</param>
/// <param name="Services">By which means.</param>
internal sealed record LogTerm(LogId Log, long Epoch, ReplicationServices Services)
{
    /// <summary>The owner's node.</summary>
    public NodeId Self => Services.Replicas.Node;

    /// <summary>The options.</summary>
    public ReplicationOptions Options => Services.Options;

    /// <summary>The clock.</summary>
    public TimeProvider Time => Services.Time;

    /// <summary>A replica on another node.</summary>
    public ILogPeer Peer(NodeId node) => Services.Peer(Log, node);
}

/// <summary>Names the nodes that may hold replicas of a shard, alive as far as is known, the best first: other zones, more room. Called often, and cheap.</summary>
/// <param name="shard">Whose log.</param>
/// <param name="members">Those that hold one already.</param>
public delegate IReadOnlyList<NodeId> FollowerChoice(ShardId shard, IReadOnlyList<NodeId> members);

/// <summary>Names a member of an ensemble whose place another node could take that suits the shard better, or shares its fate with no other member; null when all is well. Asked every few seconds for each shard, and cheap.</summary>
/// <param name="shard">Whose log.</param>
/// <param name="members">The ensemble; the owner is one of them.</param>
/// <param name="owner">The owner, which is not to be named.</param>
public delegate NodeId? CrowdedMember(ShardId shard, IReadOnlyList<NodeId> members, NodeId owner);

/// <summary>What replication on a node needs of it.</summary>
/// <param name="Replicas">This node's replicas.</param>
/// <param name="Transport">The way to other nodes.</param>
/// <param name="Choice">Which nodes may become followers.</param>
/// <param name="Options">How to replicate.</param>
/// <param name="Time">The clock.</param>
/// <param name="Report">Is told, in a sentence, what an operator should know.</param>
public sealed record ReplicationServices(LogReplicas Replicas, ILogTransport Transport, FollowerChoice Choice, ReplicationOptions Options, TimeProvider Time, Action<string> Report)
{
    /// <summary>Which member should be elsewhere; null when nobody looks.</summary>
    public CrowdedMember? Crowded { get; init; }

    /// <summary>The replica of a log on a node.</summary>
    internal ILogPeer Peer(LogId log, NodeId node) => node == Replicas.Node ? Replicas.Get(log) : new RemotePeer(log, node, Transport);
}
