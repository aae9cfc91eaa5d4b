using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A query that somebody waits for, as it is shown to its tenant.</summary>
/// <param name="Id">Its name among those of all processes that take requests.</param>
/// <param name="Text">What is asked; a very long text is cut off after <see cref="TextMax"/> characters.</param>
/// <param name="IsRunning">True once it has left the queue.</param>
/// <param name="Range">Over which time.</param>
/// <param name="StepMs">Between its steps, milliseconds; 0 for what has none.</param>
/// <param name="Age">How long ago it came.</param>
public readonly record struct ListedQuery(string Id, string Text, bool IsRunning, TimeRange Range, long StepMs, TimeSpan Age)
{
    /// <summary>The most characters of a query that are shown.</summary>
    public const int TextMax = 20_000;

    private const int AgeMaxMs = int.MaxValue;

    /// <summary>The bytes of queries as they cross between processes: how many, then the fields of each in their order; times in milliseconds.</summary>
    public static ReadOnlyMemory<byte> ToBytes(IReadOnlyList<ListedQuery> queries)
    {
        var to = new ByteWriter();
        to.UVarint((ulong)queries.Count);
        foreach (var query in queries)
        {
            to.Text(query.Id);
            to.Text(query.Text);
            to.Bool(query.IsRunning);
            to.SVarint(query.Range.MinMs);
            to.SVarint(query.Range.MaxMs);
            to.SVarint(query.StepMs);
            to.UVarint((ulong)Math.Clamp(query.Age.TotalMilliseconds, 0, AgeMaxMs));
        }

        return to.Written;
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The bytes are no queries.</exception>
    public static ListedQuery[] Read(ReadOnlySpan<byte> bytes)
    {
        var from = new ByteReader(bytes);
        var queries = new ListedQuery[from.Count(7)];
        for (var i = 0; i < queries.Length; i++)
        {
            queries[i] = new ListedQuery(from.Text(), from.Text(), from.Bool(), new TimeRange(from.SVarint(), from.SVarint()), from.SVarint(), TimeSpan.FromMilliseconds(from.UpTo(AgeMaxMs)));
        }

        from.End();
        return queries;
    }
}

/// <summary>The queries that wait in one process. Thread-safe.</summary>
public interface IListedQueries
{
    /// <summary>A tenant's queries, the oldest first; of several tenants read as one, those that were asked of just these together.</summary>
    IReadOnlyList<ListedQuery> Of(TenantId tenant);

    /// <summary>Stops a query; false when the tenant has none of that name here.</summary>
    bool Cancel(TenantId tenant, string id);
}

/// <summary>What other processes say of a tenant's queries.</summary>
/// <param name="Queries">The queries of each process, the oldest first.</param>
/// <param name="Missing">Which processes did not answer, in words for the user.</param>
public sealed record QueriesElsewhere(IReadOnlyList<ListedQuery> Queries, IReadOnlyList<string> Missing)
{
    /// <summary>What is said where there are no other processes.</summary>
    public static QueriesElsewhere None { get; } = new([], []);
}
