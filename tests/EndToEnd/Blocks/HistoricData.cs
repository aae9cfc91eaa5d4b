using Metrics.Model;
using Metrics.Storage;
using Metrics.Wire;

namespace Metrics.EndToEnd.Blocks;

/// <summary>Six hours of series of every kind, the same from the same start: counters that reset, gauges with odd values and gaps, native histograms of integers and of floats.</summary>
internal sealed class HistoricData
{
    public const long RangeMs = 7_200_000;
    private const int StepMs = 15_000;

    // Never at the edge of a window: there the releases of Prometheus differ.
    private const int OffsetMs = 7;

    // Close to zero a counter's extrapolation is bounded, which the releases do differently, too.
    private const double CounterBase = 1e6;

    public HistoricData(long startMs, int hours)
    {
        StartMs = startMs;
        Times = [.. Enumerable.Range(0, hours * 240).Select(i => startMs + ((long)i * StepMs) + OffsetMs)];
        for (var s = 0; s < 12; s++)
        {
            Floats.Add((Labels.Of(("__name__", "requests_total"), ("code", s % 3 == 0 ? "500" : "200"), ("instance", $"host-{s}"), ("job", "api")), i => CounterBase + s + ((i % 300) * (s + 1.5))));
            Floats.Add((Labels.Of(("__name__", "temperature"), ("instance", $"host-{s}")), i => Gauge(i + s)));
        }

        for (var s = 0; s < 4; s++)
        {
            Histograms.Add((Labels.Of(("__name__", "latency"), ("instance", $"host-{s}")), false, i => Histogram((i % 400) + s, 1)));
            Histograms.Add((Labels.Of(("__name__", "ratio"), ("instance", $"host-{s}")), true, i => Histogram((i % 250) + s, 0.25)));
        }
    }

    public long StartMs { get; }

    public long EndMs => Times[^1];

    public long[] Times { get; }

    public List<(Labels Labels, Func<int, double?> Value)> Floats { get; } = [];

    public List<(Labels Labels, bool IsFloat, Func<int, FloatHistogram> Value)> Histograms { get; } = [];

    /// <summary>Queries whose answers no release of Prometheus since 2.42 has changed.</summary>
    public static IReadOnlyList<string> Queries { get; } =
    [
        "requests_total", "temperature", "sum by (code) (rate(requests_total[5m]))", "increase(requests_total[1h])", "temperature{instance=~'host-1.*'}",
        "avg_over_time(temperature{instance!='host-3'}[10m])", "count({job='api'})", "count({job='',instance=~'.+'})", "topk(3, requests_total)", "absent(nothing)",
        "count_over_time(temperature[30m])", "max by (instance) (temperature)", "requests_total offset 1h", "count by (__name__) ({__name__=~'.+'})",
        "resets(requests_total[2h])", "changes(temperature[20m])", "latency", "ratio", "histogram_count(latency)", "histogram_sum(ratio)",
        "histogram_count(sum(rate(latency[5m])))", "histogram_sum(increase(ratio[10m]))", "sum(latency)", "count_over_time(latency[15m])",
    ];

    /// <summary>Every sample as promtool prints it, floats by their bits.</summary>
    public IEnumerable<string> Lines(bool histograms)
    {
        foreach (var (labels, value) in Floats)
        {
            for (var i = 0; i < Times.Length; i++)
            {
                if (value(i) is { } v)
                {
                    yield return DumpLines.Float(DumpLines.Braces(labels), v, Times[i]);
                }
            }
        }

        foreach (var (labels, _, value) in histograms ? Histograms : [])
        {
            for (var i = 0; i < Times.Length; i++)
            {
                yield return $"{DumpLines.Braces(labels)} {value(i)} {Times[i]}";
            }
        }
    }

    /// <summary>Writes the data as blocks of two hours.</summary>
    public void WriteBlocks(string directory)
    {
        var random = new Random(7);
        var clock = TimeProvider.System;
        for (var from = StartMs - (StartMs % RangeMs); from <= EndMs; from += RangeMs)
        {
            using var writer = new BlockWriter(directory, Ulid.New(clock, random), new BlockDescription { MinTimeMs = from, MaxTimeMs = from + RangeMs });
            var range = new TimeRange(from, from + RangeMs - 1);
            var all = Floats.Select((f, i) => (f.Labels, Index: i, IsHistogram: false)).Concat(Histograms.Select((h, i) => (h.Labels, Index: i, IsHistogram: true)));
            foreach (var (labels, index, isHistogram) in all.OrderBy(s => s.Labels))
            {
                writer.BeginSeries(labels.Encoded);
                if (isHistogram)
                {
                    WriteHistograms(writer, Histograms[index].IsFloat ? ChunkEncoding.FloatHistogram : ChunkEncoding.Histogram, Histograms[index].Value, range);
                }
                else
                {
                    WriteFloats(writer, Floats[index].Value, range);
                }
            }

            writer.Finish();
        }
    }

    /// <summary>Remote write bodies with the data, in order of time.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Bodies()
    {
        const int perBody = 40;
        for (var from = 0; from < Times.Length; from += perBody)
        {
            using var writer = new WriteRequestWriter();
            var indexes = Enumerable.Range(from, Math.Min(perBody, Times.Length - from)).ToList();
            foreach (var (labels, value) in Floats)
            {
                writer.BeginSeries();
                writer.AddLabels(labels);
                indexes.Where(i => value(i) is not null).ToList().ForEach(i => writer.AddSample(Times[i], value(i)!.Value));
                writer.EndSeries();
            }

            foreach (var (labels, isFloat, value) in Histograms)
            {
                writer.BeginSeries();
                writer.AddLabels(labels);
                indexes.ForEach(i => writer.AddHistogram(Message(value(i), isFloat, Times[i])));
                writer.EndSeries();
            }

            var body = new byte[SnappyEncoder.MaxEncodedLength(writer.Written.Length)];
            yield return body.AsMemory(0, SnappyEncoder.Encode(writer.Written, body));
        }
    }

    private static double? Gauge(int i) => (i % 97) switch
    {
        < 5 => null,
        5 => StaleMarker.Value,
        6 => double.NaN,
        7 => double.PositiveInfinity,
        8 => double.NegativeInfinity,
        var n => Math.Sin(i / 20.0) * n,
    };

    private static FloatHistogram Histogram(int n, double unit) => new()
    {
        Schema = 2,
        ZeroThreshold = 0.001,
        ZeroCount = n * unit,
        Count = (n * unit) + (4 * n * unit) + (2 * n * unit),
        Sum = n * 1.5,
        PositiveSpans = [new HistogramSpan(-2, 1), new HistogramSpan(3, 1)],
        PositiveBuckets = [n * unit, 3 * n * unit],
        NegativeSpans = [new HistogramSpan(1, 1)],
        NegativeBuckets = [2 * n * unit],
    };

    private static HistogramSample Message(FloatHistogram h, bool isFloat, long timeMs) => isFloat
        ? new HistogramSample
        {
            IsFloat = true,
            TimestampMs = timeMs,
            Schema = h.Schema,
            ZeroThreshold = h.ZeroThreshold,
            ZeroCountFloat = h.ZeroCount,
            CountFloat = h.Count,
            Sum = h.Sum,
            PositiveSpans = h.PositiveSpans,
            PositiveCounts = h.PositiveBuckets,
            NegativeSpans = h.NegativeSpans,
            NegativeCounts = h.NegativeBuckets,
        }
        : new HistogramSample
        {
            TimestampMs = timeMs,
            Schema = h.Schema,
            ZeroThreshold = h.ZeroThreshold,
            ZeroCountInteger = (ulong)h.ZeroCount,
            CountInteger = (ulong)h.Count,
            Sum = h.Sum,
            PositiveSpans = h.PositiveSpans,
            PositiveDeltas = [(long)h.PositiveBuckets[0], (long)(h.PositiveBuckets[1] - h.PositiveBuckets[0])],
            NegativeSpans = h.NegativeSpans,
            NegativeDeltas = [(long)h.NegativeBuckets[0]],
        };

    private void WriteFloats(BlockWriter writer, Func<int, double?> value, TimeRange range)
    {
        var times = new List<long>();
        var values = new List<double>();
        for (var i = 0; i < Times.Length; i++)
        {
            if (range.Contains(Times[i]) && value(i) is { } v)
            {
                times.Add(Times[i]);
                values.Add(v);
            }
        }

        var bytes = new byte[XorChunk.MaxBytes(120)];
        for (var at = 0; at < times.Count; at += 120)
        {
            var count = Math.Min(120, times.Count - at);
            var length = XorChunk.Encode([.. times.Slice(at, count)], [.. values.Slice(at, count)], bytes);
            writer.AddChunk(ChunkEncoding.Xor, times[at], times[at + count - 1], bytes.AsSpan(0, length));
        }
    }

    private void WriteHistograms(BlockWriter writer, ChunkEncoding encoding, Func<int, FloatHistogram> value, TimeRange range)
    {
        var encoder = new HistogramChunkEncoder(encoding);
        encoder.Begin(CounterResetHint.Unknown);
        long first = 0, last = 0;
        for (var i = 0; i < Times.Length; i++)
        {
            if (!range.Contains(Times[i]))
            {
                continue;
            }

            var full = encoder.Count == 120;
            if (full || !encoder.TryAppend(Times[i], value(i)))
            {
                writer.AddChunk(encoding, first, last, encoder.ToBytes());
                encoder.Begin(full ? CounterResetHint.Unknown : encoder.NextHint);
                encoder.TryAppend(Times[i], value(i));
            }

            first = encoder.Count == 1 ? Times[i] : first;
            last = Times[i];
        }

        if (encoder.Count > 0)
        {
            writer.AddChunk(encoding, first, last, encoder.ToBytes());
        }
    }
}
