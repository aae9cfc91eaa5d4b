using Metrics.Model;

namespace Metrics.Gateway.FrontEnd;

/// <summary>A query that was answered, or failed.</summary>
/// <param name="Query">Its text; cut off where it is very long.</param>
/// <param name="RangeMs">From its first instant to its last.</param>
/// <param name="At">When it was done.</param>
/// <param name="Took">How long its client waited.</param>
internal readonly record struct PastQuery(string Query, long RangeMs, DateTimeOffset At, TimeSpan Took)
{
    /// <summary>What it takes in memory, about.</summary>
    public long Bytes => 64 + (2L * Query.Length);
}

/// <summary>The last queries of each tenant, in bounded memory: who asks much forgets its own. Thread-safe.</summary>
internal sealed class QueryHistory(TimeProvider time)
{
    /// <summary>Queries that are remembered, over all tenants; VictoriaMetrics's <c>search.queryStats.lastQueriesCount</c>.</summary>
    public const int QueriesMax = 20_000;

    /// <summary>Memory for their texts.</summary>
    public const long BytesMax = 16 << 20;

    /// <summary>What takes less is not remembered; VictoriaMetrics's <c>search.queryStats.minQueryDuration</c>.</summary>
    public static readonly TimeSpan DurationMin = TimeSpan.FromMilliseconds(1);

    private const int TextMax = 16 * 1024;

    private readonly Lock gate = new();
    private readonly Dictionary<TenantId, Queue<PastQuery>> tenants = [];
    private long bytes;
    private int count;

    /// <summary>Remembers a query.</summary>
    public void Add(TenantId tenant, string query, long rangeMs, TimeSpan took)
    {
        if (took < DurationMin)
        {
            return;
        }

        var past = new PastQuery(query.Length <= TextMax ? query : query[..TextMax], rangeMs, time.GetUtcNow(), took);
        lock (gate)
        {
            if (!tenants.TryGetValue(tenant, out var own))
            {
                tenants.Add(tenant, own = new Queue<PastQuery>());
            }

            own.Enqueue(past);
            count++;
            bytes += past.Bytes;
            while (count > QueriesMax || bytes > BytesMax)
            {
                Forget(tenant, own);
            }
        }
    }

    /// <summary>A tenant's queries since an instant, the oldest first.</summary>
    public IReadOnlyList<PastQuery> Since(TenantId tenant, DateTimeOffset from)
    {
        lock (gate)
        {
            return tenants.TryGetValue(tenant, out var own) ? [.. own.Where(q => q.At >= from)] : [];
        }
    }

    /// <summary>Forgets the oldest query of the one that asks when it has its part already, else of the one that has the most.</summary>
    private void Forget(TenantId asking, Queue<PastQuery> own)
    {
        var (whose, queries) = (asking, own);
        if (own.Count <= QueriesMax / (2 * tenants.Count))
        {
            foreach (var (tenant, others) in tenants)
            {
                (whose, queries) = others.Count > queries.Count ? (tenant, others) : (whose, queries);
            }
        }

        bytes -= queries.Dequeue().Bytes;
        count--;
        if (queries.Count == 0)
        {
            tenants.Remove(whose);
        }
    }
}
