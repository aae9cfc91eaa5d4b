using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Xunit;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage.Tests;

/// <summary>Walking, cutting and splitting blocks: the same samples, however they are taken apart.</summary>
public class InspectionTests
{
    private sealed record Sample(int Series, int Time, int Value);

    private static Gen<Sample> OneSample =>
        from series in Gen.Choose(0, 8)
        from time in Gen.Choose(0, 40)
        from value in Gen.Choose(0, 9)
        select new Sample(series, time, value);

    /// <summary>A few blocks of random samples; series and times collide often.</summary>
    private static Arbitrary<Sample[][]> SomeBlocks() =>
        (from n in Gen.Choose(1, 4)
         from blocks in OneSample.NonEmptyListOf().Select(l => l.ToArray()).ListOf(n)
         select blocks.ToArray()).ToArbitrary();

    [Fact]
    public void AWalkOverBlocksIsTheirUnionInOrderOfLabelsAndTheLaterBlockWins() => Prop.ForAll(SomeBlocks(), blocks =>
    {
        using var scratch = new ScratchDirectory();
        var want = new SortedDictionary<(int Series, int Time), double>();
        var readers = new List<BlockReader>();
        for (var b = 0; b < blocks.Length; b++)
        {
            readers.Add(BlockReader.Open(Write(scratch, blocks[b], b, out var samples)));
            foreach (var (key, value) in samples)
            {
                want[key] = value;
            }
        }

        foreach (var range in (TimeRange[])[TimeRange.All, new(5, 20)])
        {
            Assert.Equal(want.Where(w => range.Contains(w.Key.Time)).Select(w => (w.Key.Series, (long)w.Key.Time, w.Value)), Walk(readers, range));
        }

        readers.ForEach(r => r.Dispose());
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void ThePartsOfASplitHoldEachSeriesOnceWhereItsHashBelongsAndAreSound() => Prop.ForAll(SomeBlocks(), Gen.Choose(0, 3).ToArbitrary(), Gen.Elements(true, false).ToArbitrary(), (blocks, bits, label) =>
    {
        using var scratch = new ScratchDirectory();
        using var block = BlockReader.Open(Write(scratch, blocks[0], 0, out var want));
        var ranges = HashRange.Partition(bits);
        var added = label ? new Dictionary<string, string>(StringComparer.Ordinal) { ["m"] = "x" } : [];
        using var split = new BlockSplit(block, ranges, added);
        var parts = new List<BlockReader>();
        for (var i = 0; i < ranges.Length; i++)
        {
            var folder = Path.Combine(scratch.Path, "part" + i);
            Directory.CreateDirectory(folder);
            if (split.Write(i, folder, new BlockDescription()) is not { } meta)
            {
                continue;
            }

            Assert.Equal(BlockSplit.NameOf(block.Meta.Ulid, ranges[i]), meta.Ulid);
            var path = Path.Combine(folder, meta.Ulid.ToString());
            Assert.Empty(BlockVerifier.Verify(path));
            parts.Add(BlockReader.Open(path));
            using var all = parts[^1].Select([], TimeRange.All);
            for (var s = 0; s < all.Count; s++)
            {
                Assert.True(ranges[i].Contains(all.LabelsOf(s).Hash));
                Assert.Equal(label ? "x" : "", all.LabelsOf(s)["m"]);
            }
        }

        Assert.Equal(want.Select(w => (w.Key.Series, (long)w.Key.Time, w.Value)), Walk(parts, TimeRange.All));
        parts.ForEach(p => p.Dispose());
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void AnExtractHoldsWhatWasSelectedAndNothingElse() => Prop.ForAll(SomeBlocks(), Gen.Choose(0, 40).Two().ToArbitrary(), (blocks, bounds) =>
    {
        using var scratch = new ScratchDirectory();
        using var block = BlockReader.Open(Write(scratch, blocks[0], 0, out var samples));
        var range = new TimeRange(bounds.Item1, bounds.Item2);
        IReadOnlyList<IReadOnlyList<Matcher>> selections = [[new(MatchType.Equal, "s", "3")], [new(MatchType.Regex, "s", "[1-3]")]];
        var folder = Path.Combine(scratch.Path, "extract");
        Directory.CreateDirectory(folder);
        var want = samples.Where(s => s.Key.Series is >= 1 and <= 3 && range.Contains(s.Key.Time)).Select(w => (w.Key.Series, (long)w.Key.Time, w.Value)).ToList();
        if (BlockExtract.Write(block, selections, range, folder) is not { } meta)
        {
            Assert.Empty(want);
            return;
        }

        var path = Path.Combine(folder, meta.Ulid.ToString());
        Assert.Empty(BlockVerifier.Verify(path));
        using var extract = BlockReader.Open(path);
        Assert.Equal(want, Walk([extract], TimeRange.All));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void LabelsThatMakeOneOfTwoSeriesAreRefused()
    {
        using var scratch = new ScratchDirectory();
        using var block = BlockReader.Open(TestBlocks.Write(scratch.Path, [(Labels.Of(("a", "1")), [TestBlocks.Xor((1, 1))]), (Labels.Of(("a", "1"), ("replica", "b")), [TestBlocks.Xor((1, 2))])]));
        using var split = new BlockSplit(block, [HashRange.Everything], new Dictionary<string, string>(StringComparer.Ordinal) { ["replica"] = "c" });
        var folder = Directory.CreateDirectory(Path.Combine(scratch.Path, "part")).FullName;
        var error = Assert.Throws<InvalidDataException>(() => split.Write(0, folder, new BlockDescription()));
        Assert.Contains("two series become one", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
    }

    [Fact]
    public void AnAnalysisCountsWhatIsThere()
    {
        using var scratch = new ScratchDirectory();
        using var block = BlockReader.Open(TestBlocks.WriteSmall(scratch.Path));
        var analysis = BlockAnalysis.Of(block, [], 3);
        Assert.Equal((100, 3, 7 + 100 + 2), (analysis.Series, analysis.LabelNames, analysis.LabelPairs));
        Assert.Equal(100 + 100 + 66, analysis.PostingsEntries);
        Assert.Equal([new RankedName(15, "metric_0"), new RankedName(15, "metric_1"), new RankedName(14, "metric_2")], analysis.CardinalMetrics);
        Assert.Equal([new RankedName(100, "instance"), new RankedName(7, "__name__"), new RankedName(2, "job")], analysis.CardinalNames);
        var fill = Assert.Single(analysis.Chunks);
        Assert.Equal((200, 500, 2, 3), (fill.Chunks, fill.Samples, fill.MinSamples, fill.MaxSamples));
        Assert.Equal(15, BlockAnalysis.Of(block, [new(MatchType.Equal, "__name__", "metric_1")], 3).Series);
    }

    private static string Write(ScratchDirectory scratch, Sample[] samples, int seed, out SortedDictionary<(int Series, int Time), double> written)
    {
        var all = new SortedDictionary<(int Series, int Time), double>();
        foreach (var sample in samples)
        {
            all[(sample.Series, sample.Time)] = sample.Value;
        }

        written = all;

        // Two chunks a series where there is enough. A second label on some, so that one more label changes the order.
        return TestBlocks.Write(
            scratch.Path,
            all.GroupBy(s => s.Key.Series).Select(s => (LabelsOf(s.Key), s.Select(v => ((long)v.Key.Time, v.Value)).Chunk(3).Select(c => TestBlocks.Xor(c)).ToArray())).OrderBy(s => s.Item1),
            seed: seed + 1);
    }

    private static Labels LabelsOf(int series) => series % 2 == 0 ? Labels.Of(("a", "1"), ("s", series.ToString())) : Labels.Of(("a", "1"), ("k", "2"), ("s", series.ToString()));

    private static List<(int Series, long Time, double Value)> Walk(IReadOnlyList<BlockReader> blocks, TimeRange range)
    {
        using var walk = new SeriesWalk(blocks, [], range);
        var found = new List<(int, long, double)>();
        Labels? last = null;
        while (walk.MoveNext())
        {
            Assert.True(last is null || last.CompareTo(walk.Labels) < 0, "series are not in order");
            last = walk.Labels;
            for (var i = 0; i < walk.Samples.Count; i++)
            {
                found.Add((int.Parse(walk.Labels["s"]), walk.Samples.Times[i], walk.Samples.Values[i]));
            }
        }

        return [.. found.Order()];
    }
}
