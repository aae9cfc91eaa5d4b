using Metrics.Model;
using Metrics.Testing;
using Metrics.Wire;

namespace Metrics.SideBySide;

/// <summary>
/// Scrapes of a cluster whose pods are replaced: a tenth of the targets an hour come back under another pod name, with all their series. Half of the series are
/// constant, the rest counters, if their name ends in `_total`, and gauges. The same seed, first time and scrape give the same bytes, in whatever order scrapes are asked for.
/// </summary>
/// <remarks>Memory is that of the label sets alive at one scrape (some 350 bytes each) and of what the caller keeps of the bodies. Not thread-safe.</remarks>
internal sealed class ChurningScrapes
{
    /// <summary>Time between scrapes.</summary>
    public const int IntervalMs = 15_000;

    /// <summary>Samples in a request: what a Prometheus with raised limits sends, and what the published comparisons use.</summary>
    public const int SamplesPerBody = 5000;

    /// <summary>Scrapes that a pod lives: ten hours, so that a tenth of all is replaced every hour.</summary>
    private const int PodScrapes = 10 * 3600 * 1000 / IntervalMs;

    /// <summary>Scrapes' worth that counters hold at the start: near zero, Prometheus 2 and 3 extrapolate rates differently.</summary>
    private const int CounterAge = 1000;

    private enum Kind : byte
    {
        Constant,
        Counter,
        Gauge,
    }

    private readonly KubernetesSeries series;
    private readonly Labels[] labels;
    private readonly int[] generations;
    private readonly short[] levels;
    private readonly Kind[] kinds;
    private readonly int seed;
    private readonly long firstTimeMs;

    public ChurningScrapes(int count, long firstTimeMs, int seed)
    {
        this.seed = seed;
        this.firstTimeMs = firstTimeMs;
        series = new KubernetesSeries(seed);
        labels = series.Take(count);
        generations = new int[TargetOf(count - 1) + 1];
        levels = new short[count];
        kinds = new Kind[count];
        for (var i = 0; i < count; i++)
        {
            var random = new Random(unchecked((seed * 397) + i));
            levels[i] = (short)random.Next(1, 1000);
            kinds[i] = random.Next(4) < 2 ? Kind.Constant : labels[i][Labels.MetricName].EndsWith("_total", StringComparison.Ordinal) ? Kind.Counter : Kind.Gauge;
        }
    }

    /// <summary>Series in a scrape.</summary>
    public int Count => labels.Length;

    /// <summary>When a scrape is nominally due.</summary>
    public long DueMs(int scrape) => firstTimeMs + ((long)scrape * IntervalMs);

    /// <summary>All bodies of a scrape, compressed, made ahead so that making them does not compete with the server for its cores.</summary>
    public List<ReadOnlyMemory<byte>> Bodies(int scrape, int samplesPerBody = SamplesPerBody)
    {
        Replace(scrape);
        // A few milliseconds of jitter, as real scrapes have; never none: Prometheus 2 counts a sample at the left edge of a window in, Prometheus 3 and ours do not.
        var time = DueMs(scrape) + new Random(unchecked((seed * 31) + scrape)).Next(1, 4);
        var bodies = new List<ReadOnlyMemory<byte>>();
        using var writer = new WriteRequestWriter();
        for (var start = 0; start < Count; start += samplesPerBody)
        {
            writer.Clear();
            for (var i = start; i < Math.Min(start + samplesPerBody, Count); i++)
            {
                writer.AddSeries(labels[i], [time], [Value(i, scrape)]);
            }

            var body = new byte[SnappyEncoder.MaxEncodedLength(writer.Written.Length)];
            bodies.Add(body.AsSpan(0, SnappyEncoder.Encode(writer.Written, body)).ToArray());
        }

        return bodies;
    }

    private static int TargetOf(int number) => number / KubernetesSeries.MetricCount;

    private double Value(int number, int scrape)
    {
        double level = levels[number];
        return kinds[number] switch
        {
            Kind.Constant => level,
            Kind.Counter => level * (scrape + CounterAge),
            _ => Math.Round((level * 1000) + (level * 100 * Math.Sin((scrape + level) / 7)), 2),
        };
    }

    private void Replace(int scrape)
    {
        for (var target = 0; target < generations.Length; target++)
        {
            var generation = (scrape + new Random(unchecked((seed * 7919) + target)).Next(PodScrapes)) / PodScrapes;
            if (generation == generations[target])
            {
                continue;
            }

            generations[target] = generation;
            var builder = new LabelsBuilder();
            for (var i = target * KubernetesSeries.MetricCount; i < Math.Min(Count, (target + 1) * KubernetesSeries.MetricCount); i++)
            {
                var original = series.Get(i);
                labels[i] = generation == 0 ? original : builder.Reset(original).Set("pod", $"{original["service"]}-{generation:x4}{target:x5}-{seed:x5}").ToLabels();
            }
        }
    }
}
