using Metrics.Cluster;
using Metrics.Grains;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Silo;

/// <summary>The cluster together with this process's part of it: disposing hands the shards over, leaves, and closes node and bucket.</summary>
internal sealed class HostedCluster(IHost host, ShardNode? node, IObjectStore store) : ICluster
{
    private readonly OrleansCluster cluster = new(host.Services);
    private int disposed;

    /// <inheritdoc/>
    public ReplayProgress Progress => cluster.Progress;

    /// <inheritdoc/>
    public IObjectStore? Objects => cluster.Objects;

    /// <inheritdoc/>
    public IReadOnlyList<ITenant> Tenants => cluster.Tenants;

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<TenantId>> ListTenantsAsync(CancellationToken cancellation) => cluster.ListTenantsAsync(cancellation);

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellation) => cluster.FlushAsync(cancellation);

    /// <inheritdoc/>
    public void ServeCounts(TenantCounting counting) => cluster.ServeCounts(counting);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<TenantCounts>> CountsElsewhereAsync(IReadOnlyList<TenantId> tenants, CancellationToken cancellation) => cluster.CountsElsewhereAsync(tenants, cancellation);

    /// <inheritdoc/>
    public string ProcessName => cluster.ProcessName;

    /// <inheritdoc/>
    public void ServeQueries(IListedQueries served) => cluster.ServeQueries(served);

    /// <inheritdoc/>
    public ValueTask<QueriesElsewhere> QueriesElsewhereAsync(TenantId tenant, CancellationToken cancellation) => cluster.QueriesElsewhereAsync(tenant, cancellation);

    /// <inheritdoc/>
    public ValueTask<bool> StopElsewhereAsync(TenantId tenant, string process, string id, CancellationToken cancellation) => cluster.StopElsewhereAsync(tenant, process, id, cancellation);

    /// <inheritdoc/>
    public IRuleCluster? Rules => cluster.Rules;

    /// <inheritdoc/>
    public IReplicaElector? Elector => cluster.Elector;

    /// <inheritdoc/>
    public double ShareOf(TenantId tenant, double demand) => cluster.ShareOf(tenant, demand);

    /// <inheritdoc/>
    public IClusterControl? Control => cluster.Control;

    /// <inheritdoc/>
    public ReshardingCounts Resharding => cluster.Resharding;

    /// <inheritdoc/>
    public IReadOnlyList<ShardChangeStatus> ShardChanges => cluster.ShardChanges;

    /// <inheritdoc/>
    public ValueTask SplitAsync(ShardId shard, CancellationToken cancellation) => cluster.SplitAsync(shard, cancellation);

    /// <inheritdoc/>
    public ValueTask MergeAsync(ShardId shard, CancellationToken cancellation) => cluster.MergeAsync(shard, cancellation);

    /// <inheritdoc/>
    public void LimitSeries(Func<TenantId, SeriesLimits> limits) => node?.LimitSeries(limits);

    /// <inheritdoc/>
    public long SamplesAppended(TenantId tenant) => cluster.SamplesAppended(tenant);

    /// <inheritdoc/>
    public ValueTask MarkForDeletionAsync(TenantId tenant, CancellationToken cancellation) => cluster.MarkForDeletionAsync(tenant, cancellation);

    /// <inheritdoc/>
    public ValueTask<bool> IsMarkedForDeletionAsync(TenantId tenant, CancellationToken cancellation) => cluster.IsMarkedForDeletionAsync(tenant, cancellation);

    /// <inheritdoc/>
    public ValueTask DeleteMarkedAsync(TenantId tenant, CancellationToken cancellation) => cluster.DeleteMarkedAsync(tenant, cancellation);

    /// <inheritdoc/>
    public ValueTask<ITenant> OpenTenantAsync(TenantId tenant, CancellationToken cancellation) => cluster.OpenTenantAsync(tenant, cancellation);

    /// <inheritdoc/>
    public ValueTask<ITenant?> FindTenantAsync(TenantId tenant, CancellationToken cancellation) => cluster.FindTenantAsync(tenant, cancellation);

    /// <inheritdoc/>
    public ValueTask<ITenant?> PeekTenantAsync(TenantId tenant, CancellationToken cancellation) => cluster.PeekTenantAsync(tenant, cancellation);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        await cluster.DisposeAsync();
        try
        {
            await host.StopAsync(CancellationToken.None);
        }
        catch (OperationCanceledException e)
        {
            host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("cluster").NotStopped(e.Message);
        }

        host.Dispose();
        if (node is not null)
        {
            await node.DisposeAsync();
        }

        await store.DisposeAsync();
    }
}
