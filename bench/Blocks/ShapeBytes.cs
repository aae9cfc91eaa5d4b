using Metrics.Model;
using Metrics.Storage;
using Metrics.Testing;

namespace Metrics.Blocks;

/// <summary>What a sample of each kind of series costs in the chunks of a block, by XOR and dense.</summary>
internal static class ShapeBytes
{
    private const int SeriesEach = 400;
    private const int Targets = 40;
    private const int IntervalMs = 15_000;
    private const long FirstMs = 1_699_920_000_000;

    /// <summary>Writes a block a kind and encoding, and one of all kinds by their shares, and prints their sizes.</summary>
    public static void Print(string root, int scrapes)
    {
        Console.WriteLine($"{scrapes} scrapes of {SeriesEach} series of {Targets} targets, each target with its own times; bytes a sample in chunks, heads and time columns included\n\n| kind | XOR | dense | dense / XOR | chunks a series |\n|---|---|---|---|---|");
        foreach (var (kind, share) in ValueShapes.All)
        {
            Row($"{kind} ({share} %)", SeriesEach, i => ValueShapes.Make(kind, scrapes, i));
        }

        Row("all by their shares", 10 * SeriesEach, i => ValueShapes.Typical(i, scrapes));

        void Row(string name, int count, Func<int, double[]> values)
        {
            var (xor, _) = Write(root, ChunkEncoding.Xor, scrapes, count, values);
            var (dense, chunks) = Write(root, ChunkEncoding.Dense, scrapes, count, values);
            Console.WriteLine($"| {name} | {xor:F3} | {dense:F3} | {dense / xor:F2} | {chunks:F1} |");
        }
    }

    private static (double Bytes, double Chunks) Write(string root, ChunkEncoding encoding, int scrapes, int count, Func<int, double[]> values)
    {
        using var writer = new BlockWriter(root, Ulid.New(TimeProvider.System, new Random(1)), new BlockDescription { FloatEncoding = encoding });
        using var samples = new SampleBuffer();
        var run = new ChunkRun(120);
        for (var i = 0; i < count; i++)
        {
            samples.Clear();
            var random = new Random(i % Targets);
            var phase = random.Next(IntervalMs);
            var at = 0;
            foreach (var value in values(i))
            {
                samples.Add(FirstMs + phase + ((long)at++ * IntervalMs) + random.Next(4), value);
            }

            writer.BeginSeries(Labels.Of(("__name__", "m"), ("i", i.ToString("D6"))).Encoded);
            run.Write(samples, writer);
        }

        var meta = writer.Finish();
        var folder = Path.Combine(root, meta.Ulid.ToString());
        var bytes = new DirectoryInfo(Path.Combine(folder, "chunks")).EnumerateFiles().Sum(f => f.Length);
        Directory.Delete(folder, recursive: true);
        return ((double)bytes / count / scrapes, (double)meta.Stats.NumChunks / count);
    }
}
