using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster.Tests;

public sealed class MergedSeriesSetTests
{
    [Fact]
    public void MergedSetsReadAsTheUnionOfTheirSamples() => Prop.ForAll<(byte Series, byte Time)[][]>(input =>
    {
        // A sample's value follows from its series and time, as in a shard, where both copies of a sample are the same.
        var sources = input.Select(set => ListSeriesSet.Of(set.Distinct().Select(s => (Name(s.Series), (long)s.Time, (s.Series % 4 * 1000.0) + s.Time))
            .Distinct())).ToArray();
        var want = input.SelectMany(s => s).Select(s => (Name(s.Series).ToString(), (long)s.Time, (s.Series % 4 * 1000.0) + s.Time)).Distinct().Order();
        var merged = MergedSeriesSet.Of(sources, default);
        var got = new List<(string, long, double)>();
        for (var i = 0; i < merged.Count; i++)
        {
            using var samples = new SampleBuffer();
            merged.Read(i, samples);
            for (var at = 0; at < samples.Count; at++)
            {
                Assert.True(at == 0 || samples.Times[at] > samples.Times[at - 1]);
                got.Add((merged.LabelsOf(i).ToString(), samples.Times[at], samples.Values[at]));
            }
        }

        Assert.True(AgreesOnLabels(merged));
        merged.Dispose();
        return got.Order().SequenceEqual(want) && sources.All(s => s.IsDisposed);
    }).QuickCheckThrowOnFailure();

    /// <summary>True when hashes and groups are what the labels say.</summary>
    private static bool AgreesOnLabels(ISeriesSet merged)
    {
        var subset = new LabelSubset(["A"], without: true);
        var groupOf = new int[merged.Count];
        var groups = merged.Group(subset, groupOf);
        byte[] bytes = [];
        byte[] kept = [];
        for (var i = 0; i < merged.Count; i++)
        {
            var labels = merged.LabelsOf(i);
            if (labels.Hash != merged.HashOf(i) || !labels.Encoded.SequenceEqual(merged.LabelBytesOf(i, ref bytes)) || !subset.Of(labels.Encoded, ref kept).SequenceEqual(groups[groupOf[i]].Encoded))
            {
                return false;
            }
        }

        return groups.Distinct().Count() == groups.Count;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void ACounterRisesAcrossDownsampledBlocksAndRawSamplesByWhatItRose(int seed)
    {
        const long minute = 60_000;
        var random = new Random(seed);
        var root = Directory.CreateTempSubdirectory("merged-series-set").FullName;
        var samples = new List<(long Time, double Value)> { (0, 5.1) };
        for (var i = 1; i < 3000; i++)
        {
            // Resets, and stretches in which nothing is counted.
            samples.Add((i * minute, random.Next(200) == 0 ? random.NextDouble() : samples[^1].Value + (random.Next(3) == 0 ? 0 : random.NextDouble())));
        }

        // Two blocks of aggregates, then raw samples.
        var sets = new List<ISeriesSet>();
        for (var part = 0; part < 3; part++)
        {
            var folder = Directory.CreateDirectory(Path.Combine(root, $"{part}")).FullName;
            using var raw = BlockReader.Open(Path.Combine(folder, Write(folder, samples.Skip(part * 1000).Take(1000)).ToString()));
            if (part == 2)
            {
                sets.Add(raw.Select([], TimeRange.All));
                continue;
            }

            var made = Downsample.Run(new MergeInput(raw, []), 5 * minute, new MergeRequest { Directory = folder, Time = TimeProvider.System }, CancellationToken.None)!;
            using var reduced = BlockReader.Open(Path.Combine(folder, made.Ulid.ToString()));
            sets.Add(reduced.Select([], TimeRange.All, Aggregate.Counter, CancellationToken.None));
        }

        using (var merged = MergedSeriesSet.Of(sets, default))
        {
            using var read = new SampleBuffer();
            merged.Read(0, read);
            var risen = new double[samples.Count];
            for (var i = 1; i < samples.Count; i++)
            {
                risen[i] = risen[i - 1] + Rise(samples[i - 1].Value, samples[i].Value);
            }

            // What a query makes of it at each window's end, finding resets as it does.
            var found = 0.0;
            for (var i = 1; i < read.Count; i++)
            {
                found += Rise(read.Values[i - 1], read.Values[i]);
                Assert.Equal(risen[(int)(read.Times[i] / minute)], found, 6);
            }
        }

        Directory.Delete(root, recursive: true);
    }

    private static double Rise(double before, double now) => now < before ? now : now - before;

    private static Ulid Write(string folder, IEnumerable<(long Time, double Value)> samples)
    {
        using var writer = new BlockWriter(folder, Ulid.New(TimeProvider.System, new Random(1)));
        writer.BeginSeries(Labels.Of(("__name__", "c")).Encoded);
        foreach (var chunk in samples.Chunk(120))
        {
            var bytes = new byte[XorChunk.MaxBytes(chunk.Length)];
            var length = XorChunk.Encode([.. chunk.Select(s => s.Time)], [.. chunk.Select(s => s.Value)], bytes);
            writer.AddChunk(ChunkEncoding.Xor, chunk[0].Time, chunk[^1].Time, bytes.AsSpan(0, length));
        }

        return writer.Finish().Ulid;
    }

    private static Labels Name(byte series) => Labels.Of(("__name__", $"m{series % 4}"));
}
