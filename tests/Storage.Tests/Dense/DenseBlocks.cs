using Metrics.Model;
using Metrics.Testing;

namespace Metrics.Storage.Tests.Dense;

/// <summary>Blocks of dense chunks for tests.</summary>
internal static class DenseBlocks
{
    public const int IntervalMs = 15_000;

    /// <summary>Writes series of a few targets, each target with times of its own; some series begin late, some end early with a stale marker.</summary>
    public static string Write(string parent, int series, int samples, ChunkEncoding encoding, long fromMs = 1_699_920_000_000, int seed = 1, long segmentBytes = 512L << 20)
    {
        using var writer = new BlockWriter(parent, Ulid.New(TimeProvider.System, new Random(seed)), new BlockDescription { FloatEncoding = encoding, SegmentBytes = segmentBytes });
        using var buffer = new SampleBuffer();
        var run = new ChunkRun(120);
        for (var i = 0; i < series; i++)
        {
            buffer.Clear();
            Fill(buffer, i, samples, fromMs, seed);
            writer.BeginSeries(Labels.Of(("__name__", "m"), ("i", i.ToString("D4"))).Encoded);
            run.Write(buffer, writer);
        }

        return Path.Combine(parent, writer.Finish().Ulid.ToString());
    }

    private static void Fill(SampleBuffer buffer, int series, int samples, long fromMs, int seed)
    {
        var jitter = new Random(series % 5);
        var (first, end) = (series % 7 == 3 ? samples / 3 : 0, series % 11 == 5 ? samples / 2 : samples);
        var values = ValueShapes.Typical(series + (seed * 1000), samples);
        for (var i = 0; i < end; i++)
        {
            var time = fromMs + (series % 5 * 977) + ((long)i * IntervalMs) + jitter.Next(4);
            if (i >= first)
            {
                buffer.Add(time, i == end - 1 && end < samples ? StaleMarker.Value : values[i]);
            }
        }
    }

    /// <summary>The samples of each series, bit by bit.</summary>
    public static List<string> Drain(BlockReader block, TimeRange range)
    {
        using var set = block.Select([], range);
        using var samples = new SampleBuffer();
        var all = new List<string>();
        for (var i = 0; i < set.Count; i++)
        {
            samples.Clear();
            set.Read(i, samples);
            if (samples.Count > 0)
            {
                all.Add($"{set.LabelsOf(i)} {string.Join(' ', samples.Times.ToArray().Zip(samples.Values.ToArray(), (t, v) => $"{t}={BitConverter.DoubleToUInt64Bits(v):x}"))}");
            }
        }

        return all;
    }
}
