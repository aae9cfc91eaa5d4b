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

/// <summary>Histograms of one family by the value of one label, with fixed bounds. Label values come from our code, so their number is small.</summary>
internal sealed class HistogramVector(string name, string help, string label, double[] bounds) : MetricFamily(name, "histogram", help)
{
    private readonly ConcurrentDictionary<string, Child> children = new(StringComparer.Ordinal);

    /// <summary>Bounds for durations in seconds, 1 ms to 2 min.</summary>
    public static double[] Seconds { get; } = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

    /// <summary>Observes a value.</summary>
    public void Observe(string labelValue, double value)
    {
        var child = children.GetOrAdd(labelValue, static (_, count) => new Child(count), bounds.Length + 1);
        var at = 0;
        while (at < bounds.Length && value > bounds[at])
        {
            at++;
        }

        lock (child)
        {
            child.Counts[at]++;
            child.Sum += value;
        }
    }

    /// <inheritdoc/>
    public override void Collect(SampleSink sink)
    {
        foreach (var (key, child) in children.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            long[] counts;
            double sum;
            lock (child)
            {
                counts = [.. child.Counts];
                sum = child.Sum;
            }

            var total = 0L;
            for (var i = 0; i < counts.Length; i++)
            {
                total += counts[i];
                sink.Put("_bucket", [(label, key), ("le", SampleSink.Format(i < bounds.Length ? bounds[i] : double.PositiveInfinity))], total);
            }

            sink.Put("_sum", [(label, key)], sum);
            sink.Put("_count", [(label, key)], total);
        }
    }

    private sealed class Child(int count)
    {
        public readonly long[] Counts = new long[count];
        public double Sum;
    }
}
