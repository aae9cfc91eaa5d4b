using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>Where a node's replicas keep their records.</summary>
internal interface IReplicaStores
{
    /// <summary>Opens the store of a replica, which is made if it is not there.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    ValueTask<IReplicaStore> OpenAsync(LogId log);

    /// <summary>The replicas there are.</summary>
    IReadOnlyList<LogId> List();

    /// <summary>Removes the store of a replica, which is closed.</summary>
    ValueTask RemoveAsync(LogId log);
}

/// <summary>All replicas of a node: what a silo's endpoint hands messages to. Thread-safe.</summary>
public sealed class LogReplicas : IAsyncDisposable
{
    private readonly NodeId node;
    private readonly IReplicaStores stores;
    private readonly Mutant mutant;
    private readonly Lock gate = new();
    private readonly Dictionary<LogId, LogReplica> replicas = [];

    internal LogReplicas(NodeId node, IReplicaStores stores, Mutant mutant = Mutant.None)
    {
        this.node = node;
        this.stores = stores;
        this.mutant = mutant;
    }

    /// <summary>Opens the replicas below a folder of this machine.</summary>
    public static LogReplicas Open(NodeId node, string folder, Storage.LogOptions options, TimeProvider time, Action<string> report) =>
        new(node, new FileReplicaStores(folder, options, time, report));

    /// <summary>This node.</summary>
    public NodeId Node => node;

    /// <summary>Logs whose files are open, or may be.</summary>
    public int Awake
    {
        get
        {
            lock (gate)
            {
                return replicas.Values.Count(static r => !r.Rests);
            }
        }
    }

    /// <summary>Answers a message of another node.</summary>
    /// <exception cref="InvalidDataException">The bytes are no message.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> AnswerAsync(ReadOnlyMemory<byte> message, CancellationToken cancellation)
    {
        var (log, request) = ReplicaMessage.DecodeRequest(message);
        return ReplicaMessage.Encode(await Get(log).AskAsync(request, cancellation));
    }

    /// <summary>The replica of a log.</summary>
    internal LogReplica Get(LogId log)
    {
        lock (gate)
        {
            if (!replicas.TryGetValue(log, out var replica))
            {
                replica = new LogReplica(() => stores.OpenAsync(log), mutant);
                replicas.Add(log, replica);
            }

            return replica;
        }
    }

    /// <summary>Closes the files of replicas that nobody has written to or read since this was last called: an idle log costs no file, and no memory but for what it must know. To be called now and then.</summary>
    public async ValueTask RestAsync()
    {
        foreach (var replica in Known())
        {
            await replica.RestAsync();
        }
    }

    /// <summary>Removes the replicas that no manifest names any more; to be called now and then.</summary>
    /// <remarks>
    /// Only those whose promise is older than the manifest's epoch: the owner they promised to is gone and can't make members of them, and the present one would have spoken to them first.
    /// </remarks>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public ValueTask SweepAsync(IObjectStore store, CancellationToken cancellation) => SweepAsync(stores.List(), store, cancellation);

    /// <summary>As <see cref="SweepAsync(IObjectStore, CancellationToken)"/>, of one tenant: all of them, once its manifests are fenced (<see cref="TenantErasure"/>).</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public ValueTask SweepAsync(TenantId tenant, IObjectStore store, CancellationToken cancellation) => SweepAsync(stores.List().Where(l => l.Shard.Tenant == tenant), store, cancellation);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        var open = Known();
        lock (gate)
        {
            replicas.Clear();
        }

        foreach (var replica in open)
        {
            await replica.DisposeAsync();
        }
    }

    private List<LogReplica> Known()
    {
        lock (gate)
        {
            return [.. replicas.Values];
        }
    }

    private async ValueTask SweepAsync(IEnumerable<LogId> logs, IObjectStore store, CancellationToken cancellation)
    {
        foreach (var log in logs)
        {
            var manifest = await ManifestFile.PeekAsync(store, log.Shard, cancellation);
            if (manifest is null || (IsNamed(manifest, log) && mutant != Mutant.SweepsMembers))
            {
                continue;
            }

            if (await Get(log).RetireAsync(manifest.Epoch, () => stores.RemoveAsync(log)))
            {
                lock (gate)
                {
                    replicas.Remove(log);
                }
            }
        }
    }

    private bool IsNamed(ShardManifest manifest, LogId log) =>
        (manifest.Log?.Lineage == log.Lineage && manifest.Log.Nodes.Contains(node.Value, StringComparer.Ordinal))
        || manifest.LostLogs.Any(l => l.Lineage == log.Lineage && l.Members.Contains(node.Value, StringComparer.Ordinal));
}
