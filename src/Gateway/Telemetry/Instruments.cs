using System.Collections.Concurrent;

namespace Metrics.Gateway.Telemetry;

/// <summary>A counter without labels.</summary>
internal sealed class Counter(string name, string help) : MetricFamily(name, "counter", help)
{
    private long value;

    /// <summary>The count.</summary>
    public long Value => Volatile.Read(ref value);

    /// <summary>Counts.</summary>
    public void Add(long count) => Interlocked.Add(ref value, count);

    /// <inheritdoc/>
    public override void Collect(SampleSink sink) => sink.Put("", [], Value);
}

/// <summary>Values read when asked for: gauges, or counters kept elsewhere.</summary>
internal sealed class Observed(string name, string type, string help, Action<SampleSink> collect) : MetricFamily(name, type, help)
{
    /// <inheritdoc/>
    public override void Collect(SampleSink sink) => collect(sink);
}

/// <summary>Counters of one family by label values; at most <paramref name="limit"/> children, what comes later counts under <c>other</c>.</summary>
/// <remarks>The bound keeps clients from growing us: tenants are named by them. With a ranking, the first label is a tenant, and those it does not show are summed under <c>other</c>.</remarks>
internal sealed class CounterVector(string name, string help, string[] labels, int limit, TenantRanking? ranking = null) : MetricFamily(name, "counter", help)
{
    private readonly ConcurrentDictionary<(string, string), StrongBox> children = new();

    /// <summary>Counts; the second value is empty when there is one label.</summary>
    public void Add(string first, string second, long count)
    {
        if (!children.TryGetValue((first, second), out var child))
        {
            child = children.GetOrAdd(children.Count < limit ? (first, second) : ("other", second), static _ => new StrongBox());
        }

        Interlocked.Add(ref child.Value, count);
    }

    /// <inheritdoc/>
    public override void Collect(SampleSink sink)
    {
        var shown = ranking?.Shown();
        var rest = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var (key, child) in children.OrderBy(c => c.Key))
        {
            var value = Volatile.Read(ref child.Value);
            if (shown is null || shown.Contains(key.Item1))
            {
                Put(sink, key, value);
            }
            else
            {
                rest[key.Item2] = rest.GetValueOrDefault(key.Item2) + value;
            }
        }

        foreach (var (second, value) in rest)
        {
            Put(sink, (TenantRanking.Other, second), value);
        }
    }

    private void Put(SampleSink sink, (string First, string Second) key, long value) =>
        sink.Put("", labels.Length == 1 ? [(labels[0], key.First)] : [(labels[0], key.First), (labels[1], key.Second)], value);

    private sealed class StrongBox
    {
        public long Value;
    }
}
