using System.Collections.Concurrent;
using System.Globalization;
using Metrics.Cluster;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.FrontEnd;

/// <summary>A query that a client waits for.</summary>
internal sealed class ActiveQuery : IDisposable
{
    private readonly ActiveQueries owner;
    private readonly CancellationTokenSource stopped;

    public ActiveQuery(ActiveQueries owner, long number, TenantId tenant, QueryRequest query, DateTimeOffset startedAt, CancellationToken aborted)
    {
        this.owner = owner;
        (Number, Tenant, Query, StartedAt) = (number, tenant, query, startedAt);
        stopped = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        Stopped = stopped.Token;
    }

    /// <summary>How many came to this process before it, and itself.</summary>
    public long Number { get; }

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
/// <param name="time">The clock.</param>
/// <param name="process">What this process is called among those that take requests, with which the ids of its queries begin; empty when there are no others.</param>
internal sealed class ActiveQueries(TimeProvider time, string process = "") : IListedQueries
{
    private readonly ConcurrentDictionary<long, ActiveQuery> active = new();
    private readonly string idStart = process.Length == 0 ? "" : process + "-";
    private long lastNumber;

    /// <summary>The process whose query has an id, as far as that says one.</summary>
    public static string ProcessOf(string id) => id.LastIndexOf('-') is > 0 and var at ? id[..at] : "";

    /// <summary>Notes a query; it leaves the list when it is disposed.</summary>
    public ActiveQuery Enter(TenantId tenant, QueryRequest query, CancellationToken aborted)
    {
        var entered = new ActiveQuery(this, Interlocked.Increment(ref lastNumber), tenant, query, time.GetUtcNow(), aborted);
        active[entered.Number] = entered;
        return entered;
    }

    /// <inheritdoc/>
    public IReadOnlyList<ListedQuery> Of(TenantId tenant)
    {
        var now = time.GetUtcNow();
        return [.. active.Values.Where(q => q.Tenant == tenant).OrderBy(static q => q.Number).Select(q => Listed(q, now))];
    }

    /// <inheritdoc/>
    public bool Cancel(TenantId tenant, string id)
    {
        if (!id.StartsWith(idStart, StringComparison.Ordinal) || !long.TryParse(id.AsSpan(idStart.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            || !active.TryGetValue(number, out var query) || query.Tenant != tenant)
        {
            return false;
        }

        query.Cancel();
        return true;
    }

    internal void Remove(ActiveQuery query) => active.TryRemove(query.Number, out _);

    private ListedQuery Listed(ActiveQuery of, DateTimeOffset now)
    {
        var (query, grid) = (of.Query.Query, of.Query.Grid);
        var text = query.Length <= ListedQuery.TextMax ? query : query[..ListedQuery.TextMax];
        return new(string.Create(CultureInfo.InvariantCulture, $"{idStart}{of.Number}"), text, of.IsRunning, new TimeRange(grid.StartMs, grid.EndMs), grid.StepMs, now > of.StartedAt ? now - of.StartedAt : TimeSpan.Zero);
    }
}
