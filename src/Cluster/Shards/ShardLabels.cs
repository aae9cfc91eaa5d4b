using System.Text;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Cluster;

/// <summary>Answers the label endpoints from a shard's store. Label sets are counted as a query's memory until they are answered; names and values are few beside them, and as many requests find some at a time as there are processors.</summary>
internal static class ShardLabels
{
    private static readonly IReadOnlyList<Matcher>[] EverySeries = [[]];

    /// <summary>The label sets of series that satisfy any selector, each once, in label order, at most the limit.</summary>
    public static IReadOnlyList<Labels> Series(IShardStore store, LabelQuery query, QueryMemory memory, CancellationToken cancellation)
    {
        using var lease = memory.Open(QueryBounds.None);
        using var found = new LabelSetIndex();
        foreach (var selector in Selectors(query))
        {
            cancellation.ThrowIfCancellationRequested();
            store.VisitSeries(selector, query.Range, Note, cancellation);
        }

        var sorted = found.ToLabels();
        Array.Sort(sorted);
        return Limited(sorted, query.Limit);

        void Note(ReadOnlySpan<byte> canonical)
        {
            var before = found.Count;
            if (found.Add(canonical) == before)
            {
                lease.Take(MemoryLease.BytesOf(canonical));
            }
        }
    }

    /// <summary>The names of labels, ascending by UTF-8 bytes, at most the limit.</summary>
    public static IReadOnlyList<string> Names(IShardStore store, LabelQuery query, CancellationToken cancellation)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var selector in Selectors(query))
        {
            cancellation.ThrowIfCancellationRequested();
            store.AddLabelNames(selector, query.Range, found);
        }

        return Sorted(found, query.Limit);
    }

    /// <summary>The values of a label, ascending by UTF-8 bytes, at most the limit.</summary>
    public static IReadOnlyList<string> Values(IShardStore store, string name, LabelQuery query, CancellationToken cancellation)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var selector in Selectors(query))
        {
            cancellation.ThrowIfCancellationRequested();
            store.AddLabelValues(name, selector, query.Range, found);
        }

        return Sorted(found, query.Limit);
    }

    private static IReadOnlyList<IReadOnlyList<Matcher>> Selectors(LabelQuery query) => query.Selectors.Count == 0 ? EverySeries : query.Selectors;

    private static ArraySegment<string> Sorted(HashSet<string> texts, int limit)
    {
        // Ordinal order of UTF-16 differs from that of UTF-8 beyond U+FFFF, so the bytes are what is compared.
        var keys = new byte[texts.Count][];
        var sorted = new string[texts.Count];
        texts.CopyTo(sorted);
        for (var i = 0; i < sorted.Length; i++)
        {
            keys[i] = Encoding.UTF8.GetBytes(sorted[i]);
        }

        Array.Sort(keys, sorted, Comparer<byte[]>.Create(static (l, r) => l.AsSpan().SequenceCompareTo(r)));
        return Limited(sorted, limit);
    }

    private static ArraySegment<T> Limited<T>(T[] sorted, int limit) => new(sorted, 0, limit > 0 ? Math.Min(limit, sorted.Length) : sorted.Length);
}
