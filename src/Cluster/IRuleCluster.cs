using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Rules in a cluster: which process evaluates which groups, and what processes tell each other of them.</summary>
public interface IRuleCluster
{
    /// <summary>Who evaluates what, as this process sees it now. Others may see it otherwise for some seconds: the saved state of a group admits one evaluator.</summary>
    RuleShares Shares { get; }

    /// <summary>The other processes that have rules.</summary>
    IReadOnlyList<IRulePeer> Others { get; }

    /// <summary>From now on this process evaluates a share of the rules, and answers what the others ask of it; with null it ceases to. The others hear of it at once.</summary>
    void Serve(IRulePeer? self);
}

/// <summary>The rules of one process, for the others.</summary>
public interface IRulePeer
{
    /// <summary>The process, for messages.</summary>
    string Name { get; }

    /// <summary>Shows the groups of a tenant that the process evaluates. What filter and answer look like is the gateway's affair.</summary>
    /// <exception cref="IOException">The process can't be reached, or does not answer in time.</exception>
    ValueTask<ReadOnlyMemory<byte>> ShowAsync(TenantId tenant, string filter, CancellationToken cancellation);

    /// <summary>Takes the groups of a tenant anew from object storage.</summary>
    /// <exception cref="IOException">The process can't be reached, or does not answer in time.</exception>
    ValueTask ReloadAsync(TenantId tenant, CancellationToken cancellation);
}
