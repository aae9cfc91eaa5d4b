using System.Collections.Concurrent;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.FrontEnd;

/// <summary>A query that a client waits for.</summary>
internal sealed class ActiveQuery : IDisposable
{
    private readonly ActiveQueries owner;
    private readonly CancellationTokenSource stopped;

    public ActiveQuery(ActiveQueries owner, long id, TenantId tenant, QueryRequest query, DateTimeOffset startedAt, CancellationToken aborted)
    {
        this.owner = owner;
        (Id, Tenant, Query, StartedAt) = (id, tenant, query, startedAt);
        stopped = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        Stopped = stopped.Token;
    }

    /// <summary>Its name in this process.</summary>
    public long Id { get; }

    /// <summary>Whose.</summary>
    public TenantId Tenant { get; }

    /// <summary>What is asked.</summary>
    public QueryRequest Query { get; }

    /// <summary>When it came.</summary>
    public DateTimeOffset StartedAt { get; }

    /// <summary>True once it has left the queue.</summary>
    public bool IsRunning { get; set; }

    /// <summary>Cancelled when the client has gone, or somebody has stopped the query.</summary>
    public CancellationToken Stopped { get; }

    /// <summary>Stops it, unless it has just ended.</summary>
    public void Cancel()
    {
        try
        {
            stopped.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended between the look into the list and the call.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        owner.Remove(this);
        stopped.Dispose();
    }
}

/// <summary>The queries that clients wait for, to be looked at and stopped. Thread-safe.</summary>
internal sealed class ActiveQueries(TimeProvider time)
{
    private readonly ConcurrentDictionary<long, ActiveQuery> active = new();
    private long lastId;

    /// <summary>Notes a query; it leaves the list when it is disposed.</summary>
    public ActiveQuery Enter(TenantId tenant, QueryRequest query, CancellationToken aborted)
    {
        var entered = new ActiveQuery(this, Interlocked.Increment(ref lastId), tenant, query, time.GetUtcNow(), aborted);
        active[entered.Id] = entered;
        return entered;
    }

    /// <summary>A tenant's queries, the oldest first.</summary>
    public IReadOnlyList<ActiveQuery> Of(TenantId tenant) => [.. active.Values.Where(q => q.Tenant == tenant).OrderBy(q => q.Id)];

    /// <summary>Stops a query; false when the tenant has none of that name.</summary>
    public bool Cancel(TenantId tenant, long id)
    {
        if (!active.TryGetValue(id, out var query) || query.Tenant != tenant)
        {
            return false;
        }

        query.Cancel();
        return true;
    }

    internal void Remove(ActiveQuery query) => active.TryRemove(query.Id, out _);
}
