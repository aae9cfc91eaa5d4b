using Metrics.Model;
using Xunit;

namespace Metrics.Storage.Tests;

/// <summary>However blocks are grouped and ordered for merging, the samples are the same; what is deleted or out of range stays behind.</summary>
public sealed class BlockMergeTests : IDisposable
{
    private static readonly ChunkEncoding?[] Encodings = [null, ChunkEncoding.Xor, ChunkEncoding.Dense];
    private readonly ScratchDirectory scratch = new();
    private int folders;

    public void Dispose() => scratch.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void AnyOrderAndGroupingGivesTheSameSamples(int seed)
    {
        var random = new Random(seed);
        var blocks = Enumerable.Range(0, 5).Select(_ => Overlapping(random)).ToList();
        var want = Union(blocks);
        var atOnce = Merge(blocks);
        Assert.Equal(want, Drain(atOnce));

        // One after the other, in another order, in parts.
        var shuffled = blocks.OrderBy(_ => random.Next()).ToList();
        var pairwise = shuffled[0];
        foreach (var next in shuffled.Skip(1))
        {
            pairwise = Merge(random.Next(2) == 0 ? [pairwise, next] : [next, pairwise], Encodings[random.Next(Encodings.Length)]);
        }

        Assert.Equal(want, Drain(pairwise));
        var cut = random.Next(1, 5);
        foreach (var encoding in Encodings)
        {
            using var halves = Merge([Merge(blocks[..cut], encoding), Merge(blocks[cut..], encoding)], encoding);
            Assert.Equal(want, Drain(halves));
            Assert.Empty(BlockVerifier.Verify(halves.DirectoryPath, CancellationToken.None));
            Assert.Equal(encoding == ChunkEncoding.Dense, halves.Meta.Metrics!.ChunkEncodings is ["dense"]);
        }

        Assert.Empty(BlockVerifier.Verify(pairwise.DirectoryPath, CancellationToken.None));
        Assert.Equal(blocks.Select(b => b.Meta.Ulid.ToString()).Order(StringComparer.Ordinal), pairwise.Meta.Compaction.Sources);
        Assert.True(pairwise.Meta.Compaction.Level >= 4);
        blocks.ForEach(b => b.Dispose());
        atOnce.Dispose();
        pairwise.Dispose();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void PartsByHashHoldEachSeriesOnceAndAsWhole(int seed)
    {
        var random = new Random(seed);
        var blocks = Enumerable.Range(0, 3).Select(_ => Overlapping(random)).ToList();
        var folder = Folder();
        var made = BlockMerge.Run([.. blocks.Select(b => new MergeInput(b, []))], new MergeRequest { Directory = folder, Time = TimeProvider.System, MaxSeries = 20 }, CancellationToken.None);
        Assert.InRange(made.Count, 2, 8);
        var all = new Dictionary<Labels, List<(long, string)>>();
        foreach (var meta in made)
        {
            using var part = BlockReader.Open(Path.Combine(folder, meta.Ulid.ToString()));
            foreach (var (labels, samples) in Drain(part))
            {
                Assert.True(HashRange.Parse(meta.Metrics!.HashRange!).Contains(labels.Hash));
                all.Add(labels, samples);
            }
        }

        Assert.Equal(Union(blocks), new SortedDictionary<Labels, List<(long, string)>>(all));

        // A shard takes what is its own of a foreign block.
        var half = HashRange.Partition(1)[1];
        var own = BlockMerge.Run([.. blocks.Select(b => new MergeInput(b, []))], new MergeRequest { Directory = folder, Time = TimeProvider.System, HashRange = half }, CancellationToken.None);
        using var mine = BlockReader.Open(Path.Combine(folder, Assert.Single(own).Ulid.ToString()));
        Assert.Equal(all.Where(s => half.Contains(s.Key.Hash)).OrderBy(s => s.Key), Drain(mine));
        blocks.ForEach(b => b.Dispose());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void DeletedSamplesAndThoseOutOfRangeStayBehind(int seed)
    {
        var random = new Random(seed);
        var blocks = Enumerable.Range(0, 3).Select(_ => Overlapping(random)).ToList();
        var gone = new TimeRange(random.Next(0, 300_000), random.Next(300_000, 700_000));
        var kept = new TimeRange(100_000, 900_000);
        Matcher[] matchers = [new(Metrics.Model.MatchType.Regex, "n", ".*[13579]")];
        var inputs = blocks.Select(b => new MergeInput(b, [new MergeDeletion(matchers, gone)])).ToList();
        var folder = Folder();
        var made = BlockMerge.Run(inputs, new MergeRequest { Directory = folder, Time = TimeProvider.System, Range = kept }, CancellationToken.None);
        using var merged = BlockReader.Open(Path.Combine(folder, Assert.Single(made).Ulid.ToString()));
        var want = new SortedDictionary<Labels, List<(long, string)>>();
        foreach (var (labels, samples) in Union(blocks))
        {
            var left = samples.Where(s => kept.Contains(s.Item1) && !(Matcher.AllMatch(matchers, labels) && gone.Contains(s.Item1))).ToList();
            if (left.Count > 0)
            {
                want[labels] = left;
            }
        }

        Assert.Equal(want, Drain(merged));
        Assert.Empty(BlockMerge.Run([new MergeInput(merged, [new MergeDeletion([], TimeRange.All)])], new MergeRequest { Directory = folder, Time = TimeProvider.System }, CancellationToken.None));
        Assert.Empty(Directory.GetDirectories(folder, "*.tmp"));
        blocks.ForEach(b => b.Dispose());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void PlanningEndsAndLosesNoTime(int seed)
    {
        var random = new Random(seed);
        var hour = 3_600_000L;
        var blocks = Enumerable.Range(0, 150).Select(_ =>
        {
            var start = random.Next(0, 600) * 2 * hour + (random.Next(5) == 0 ? random.Next(1000) : 0);
            return Planned(start, start + (random.Next(10) == 0 ? random.Next(1, 400) * hour : 2 * hour), random.Next(1, 100), random.Next(6) == 0 ? "0b0" : null, random.Next(8) == 0 ? 300_000 : 0);
        }).ToList();
        var options = new CompactionOptions { MaxJobBytes = 5000 };
        var end = blocks.Max(b => b.Meta.MaxTime);
        var covered = blocks.Select(b => b.Meta.MinTime).Min();
        for (var round = 0; ; round++)
        {
            Assert.True(round < 1000, "planning does not end");
            var job = CompactionPlanner.Next(blocks, options, DateTimeOffset.UnixEpoch.AddYears(80));
            if (job.Count == 0)
            {
                break;
            }

            Assert.True(job.Count > 1 && job.Sum(b => b.Bytes) <= options.MaxJobBytes);
            Assert.Single(job.Select(b => b.ResolutionMs).Distinct());
            blocks.RemoveAll(job.Contains);
            blocks.Add(Planned(job.Min(b => b.Meta.MinTime), job.Max(b => b.Meta.MaxTime), job.Sum(b => b.Bytes), null, job[0].ResolutionMs));
        }

        Assert.Equal((covered, end), (blocks.Min(b => b.Meta.MinTime), blocks.Max(b => b.Meta.MaxTime)));
        Assert.True(blocks.Count < 120);
    }

    private static PlannedBlock Planned(long from, long to, long bytes, string? hashRange, long resolution) => new(
        new BlockMeta
        {
            Ulid = Ulid.New(TimeProvider.System, new Random((int)(from / 1000))),
            MinTime = from,
            MaxTime = to,
            Metrics = hashRange is null ? null : new MetricsMeta { HashRange = hashRange },
            Thanos = new ThanosMeta { Downsample = new ThanosDownsample(resolution) },
        },
        bytes);

    /// <summary>A block whose series and times overlap those of the others; what an instant of a series holds is a function of both, so that blocks agree.</summary>
    private BlockReader Overlapping(Random random)
    {
        var from = random.Next(0, 500) * 1000;
        var series = Enumerable.Range(0, 25).Where(_ => random.Next(4) > 0).Select(n => (Number: n, Labels: Labels.Of(("__name__", "m"), ("n", $"{n}")))).OrderBy(s => s.Labels);
        var directory = Folder();
        using var writer = new BlockWriter(directory, Ulid.New(TimeProvider.System, random));
        foreach (var (n, labels) in series)
        {
            writer.BeginSeries(labels.Encoded);
            using var samples = new SampleBuffer();
            var time = from + random.Next(0, 30_000);
            for (var i = random.Next(1, 300); i > 0; i--)
            {
                time += random.Next(3) == 0 ? 1000 : 15_000;
                time -= time % 1000;
                if (n % 5 == 0 && time / 100_000 % 2 == 0)
                {
                    samples.Add(time, new FloatHistogram { Schema = 1, Count = time, Sum = n, PositiveSpans = [new HistogramSpan(0, 1)], PositiveBuckets = [time] });
                }
                else
                {
                    samples.Add(time, ((time * 31) + n) % 1000);
                }
            }

            new ChunkRun(random.Next(5, 121)).Write(samples, writer);
        }

        return BlockReader.Open(Path.Combine(directory, writer.Finish().Ulid.ToString()));
    }

    private BlockReader Merge(List<BlockReader> blocks, ChunkEncoding? encoding = null)
    {
        var folder = Folder();
        var request = new MergeRequest { Directory = folder, Time = TimeProvider.System, Description = new BlockDescription { FloatEncoding = encoding, SegmentBytes = 20_000 } };
        var made = BlockMerge.Run([.. blocks.Select(b => new MergeInput(b, []))], request, CancellationToken.None);
        return BlockReader.Open(Path.Combine(folder, Assert.Single(made).Ulid.ToString()));
    }

    private static SortedDictionary<Labels, List<(long Time, string Value)>> Union(List<BlockReader> blocks)
    {
        var all = new SortedDictionary<Labels, SortedDictionary<long, string>>();
        foreach (var block in blocks)
        {
            foreach (var (labels, samples) in Drain(block))
            {
                var own = all.TryGetValue(labels, out var found) ? found : all[labels] = [];
                samples.ForEach(s => own[s.Time] = s.Value);
            }
        }

        return new(all.ToDictionary(s => s.Key, s => s.Value.Select(v => (v.Key, v.Value)).ToList()));
    }

    private static SortedDictionary<Labels, List<(long Time, string Value)>> Drain(BlockReader block)
    {
        var all = new SortedDictionary<Labels, List<(long, string)>>();
        using var set = block.Select([], TimeRange.All);
        using var samples = new SampleBuffer();
        for (var i = 0; i < set.Count; i++)
        {
            samples.Clear();
            set.Read(i, samples);
            all.Add(set.LabelsOf(i), [.. Enumerable.Range(0, samples.Count).Select(s => (samples.Times[s], (samples.HasHistograms ? samples.Histograms[s] : null)?.ToString() ?? $"{samples.Values[s]}"))]);
        }

        return all;
    }

    private string Folder() => Directory.CreateDirectory(Path.Combine(scratch.Path, $"{folders++}")).FullName;
}
