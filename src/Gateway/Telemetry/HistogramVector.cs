using System.Collections.Concurrent;
using System.Diagnostics;

namespace Metrics.Gateway.Telemetry;

/// <summary>Histograms of one family by the value of one label: classic ones with fixed bounds, and native ones beside them for scrapers that take those. Label values come from our code, so their number is small.</summary>
/// <remarks>Each classic bucket keeps the last observation that was made in a trace which is recorded. Thread-safe.</remarks>
internal sealed class HistogramVector(string name, string help, string label, double[] bounds, TimeProvider? time = null) : MetricFamily(name, "histogram", help)
{
    private readonly TimeProvider time = time ?? TimeProvider.System;
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

        var exemplar = Activity.Current is { Recorded: true } span
            ? new ObservedExemplar(span.TraceId.ToHexString(), span.SpanId.ToHexString(), value, time.GetUtcNow().ToUnixTimeMilliseconds())
            : null;
        lock (child)
        {
            child.Counts[at]++;
            child.Exemplars[at] = exemplar ?? child.Exemplars[at];
            child.Sum += value;
            child.Native.Observe(value);
        }
    }

    /// <inheritdoc/>
    public override void Collect(SampleSink sink)
    {
        foreach (var (key, child) in children.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            HistogramSnapshot now;
            lock (child)
            {
                now = new HistogramSnapshot(bounds, [.. child.Counts], [.. child.Exemplars], child.Sum, child.Native.Copy());
            }

            sink.Put((label, key), now);
        }
    }

    private sealed class Child(int count)
    {
        public readonly long[] Counts = new long[count];
        public readonly ObservedExemplar?[] Exemplars = new ObservedExemplar?[count];
        public readonly NativeBuckets Native = new();
        public double Sum;
    }
}
