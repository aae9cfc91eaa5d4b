using System.Runtime.InteropServices;
using System.Text;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Cluster;

/// <summary>Counts the label pairs of a shard.</summary>
internal sealed class CardinalityCount
{
    private readonly CardinalityQuery query;
    private readonly Dictionary<string, Tally> names = new(StringComparer.Ordinal);
    private readonly HashSet<LabelPair> wanted;
    private readonly Dictionary<LabelPair, long> found = [];
    private readonly PriorityQueue<PairCount, long> topPairs = new();
    private readonly Dictionary<string, PriorityQueue<PairCount, long>> topValues;

    private Tally? last;

    private CardinalityCount(CardinalityQuery query)
    {
        this.query = query;
        wanted = [.. query.Pairs];
        topValues = query.Names.Distinct(StringComparer.Ordinal).ToDictionary(n => n, _ => new PriorityQueue<PairCount, long>(), StringComparer.Ordinal);
    }

    /// <summary>Counts what a query asks for.</summary>
    public static ShardCardinality Of(IShardStore store, CardinalityQuery query, QueryMemory memory, CancellationToken cancellation)
    {
        var count = new CardinalityCount(query);
        if (query.Selector is not null)
        {
            return count.OfSeries(store, query.Selector, memory, cancellation);
        }

        store.VisitHeadPairs((name, value, series) =>
        {
            cancellation.ThrowIfCancellationRequested();
            count.Add(name, value, series);
        });
        return count.Finish(store.Statistics.HeadSeries);
    }

    private ShardCardinality OfSeries(IShardStore store, IReadOnlyList<Matcher> selector, QueryMemory memory, CancellationToken cancellation)
    {
        var pairs = new Dictionary<string, Dictionary<string, long>>(StringComparer.Ordinal);
        var series = ShardLabels.Series(store, new LabelQuery([selector], TimeRange.All, 0), memory, cancellation);
        foreach (var labels in series)
        {
            foreach (var (name, value) in (IEnumerable<KeyValuePair<string, string>>)labels)
            {
                if (!pairs.TryGetValue(name, out var values))
                {
                    pairs.Add(name, values = new Dictionary<string, long>(StringComparer.Ordinal));
                }

                CollectionsMarshal.GetValueRefOrAddDefault(values, value, out _)++;
            }
        }

        foreach (var (name, values) in pairs)
        {
            foreach (var (value, count) in values)
            {
                Add(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(value), count);
            }
        }

        return Finish(series.Count);
    }

    private void Add(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, long series)
    {
        if (series == 0)
        {
            return;
        }

        var tally = TallyOf(name);
        tally.Series += series;
        tally.Bytes += (name.Length + value.Length) * series;
        tally.Values.Add(value);
        if (wanted.Count > 0)
        {
            var pair = new LabelPair(tally.Name, Encoding.UTF8.GetString(value));
            if (wanted.Contains(pair))
            {
                found[pair] = series;
            }

            return;
        }

        Offer(topPairs, tally.Name, value, series);
        if (topValues.TryGetValue(tally.Name, out var top))
        {
            Offer(top, tally.Name, value, series);
        }
    }

    private void Offer(PriorityQueue<PairCount, long> top, string name, ReadOnlySpan<byte> value, long series)
    {
        if (top.Count < query.Limit)
        {
            top.Enqueue(new PairCount(new LabelPair(name, Encoding.UTF8.GetString(value)), series), series);
        }
        else if (top.TryPeek(out _, out var least) && series > least)
        {
            top.DequeueEnqueue(new PairCount(new LabelPair(name, Encoding.UTF8.GetString(value)), series), series);
        }
    }

    private Tally TallyOf(ReadOnlySpan<byte> name)
    {
        // A name's values come one after another: its text is made once.
        if (last is not null && name.SequenceEqual(last.Utf8))
        {
            return last;
        }

        var text = Encoding.UTF8.GetString(name);
        if (!names.TryGetValue(text, out var tally))
        {
            names.Add(text, tally = new Tally(text, name.ToArray()));
        }

        last = tally;
        return tally;
    }

    private ShardCardinality Finish(long series)
    {
        foreach (var top in topValues.Values.Append(topPairs))
        {
            foreach (var (pair, _) in top.UnorderedItems)
            {
                found[pair.Pair] = pair.Series;
            }
        }

        return new ShardCardinality(series, [.. names.Values.Select(t => new LabelCardinality(t.Name, t.Series, t.Bytes, t.Values))], [.. found.Select(f => new PairCount(f.Key, f.Value))]);
    }

    private sealed class Tally(string name, byte[] utf8)
    {
        public byte[] Utf8 { get; } = utf8;

        public string Name { get; } = name;

        public long Series { get; set; }

        public long Bytes { get; set; }

        public DistinctCount Values { get; } = new();
    }
}
