using Metrics.Model;
using Xunit;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage.Tests;

public class BlockTests
{
    [Fact]
    public void SamplesComeBackBitForBit()
    {
        using var scratch = new ScratchDirectory();
        using var block = BlockReader.Open(TestBlocks.WriteSmall(scratch.Path));
        var all = TestBlocks.Drain(block.Select([], TimeRange.All));
        Assert.Equal(100, all.Count);
        var one = all[Labels.Of(("__name__", "metric_5"), ("instance", "host-5"), ("job", "job2"))];
        Assert.Equal([(1000, 5), (2000, 6), (3500, 5), (4000, -5), (5000, double.NaN)], one);
        Assert.Equal(500UL, block.Meta.Stats.NumSamples);
        Assert.Equal(200UL, block.Meta.Stats.NumChunks);
        Assert.Equal((1000, 5001), (block.Meta.MinTime, block.Meta.MaxTime));
    }

    [Fact]
    public void SamplesOutsideTheRangeAreTrimmedAndSeriesWithoutChunksInItLeftOut()
    {
        using var scratch = new ScratchDirectory();
        var near = Labels.Of(("a", "near"));
        var far = Labels.Of(("a", "far"));
        using var block = BlockReader.Open(TestBlocks.Write(scratch.Path, [
            (near, [TestBlocks.Xor((0, 1), (10, 2), (20, 3))]), (far, [TestBlocks.Xor((100, 9))])]));
        var all = TestBlocks.Drain(block.Select([], new TimeRange(10, 15)));
        Assert.Equal([(10, 2)], Assert.Single(all).Value);
        Assert.Equal(near, all.Keys.Single());
        Assert.Empty(TestBlocks.Drain(block.Select([], new TimeRange(101, 500))));
        Assert.Empty(TestBlocks.Drain(block.Select([], new TimeRange(5, 4))));
    }

    [Fact]
    public void SegmentsAreCutAtTheirLimit()
    {
        using var scratch = new ScratchDirectory();
        var directory = TestBlocks.Write(scratch.Path, Enumerable.Range(0, 50).Select(i =>
            (Labels.Of(("i", i.ToString("D2"))), new[] { TestBlocks.Xor((1, i), (2, i + 0.5)) })), new BlockDescription { SegmentBytes = 200 });
        Assert.True(Directory.GetFiles(Path.Combine(directory, "chunks")).Length > 5);
        Assert.All(Directory.GetFiles(Path.Combine(directory, "chunks")), f => Assert.InRange(new FileInfo(f).Length, 9, 200));
        using var block = BlockReader.Open(directory);
        var all = TestBlocks.Drain(block.Select([], TimeRange.All));
        Assert.All(Enumerable.Range(0, 50), i => Assert.Equal([(1, i), (2, i + 0.5)], all[Labels.Of(("i", i.ToString("D2")))]));
    }

    [Fact]
    public void DeletedSamplesAreNotRead()
    {
        using var scratch = new ScratchDirectory();
        var directory = TestBlocks.Write(scratch.Path, [
            (Labels.Of(("a", "1")), [TestBlocks.Xor((0, 1), (10, 2), (20, 3), (30, 4)), TestBlocks.Xor((40, 5))]), (Labels.Of(("a", "2")), [TestBlocks.Xor((0, 7))])]);
        uint first, second;
        using (var block = BlockReader.Open(directory))
        {
            using var all = new PostingsBuffer();
            block.Index.AddAll(all);
            (first, second) = (all.Items[0], all.Items[1]);
        }

        var tombstones = Tombstones.Of([(first, new TimeRange(5, 10)), (first, new TimeRange(11, 20)), (first, new TimeRange(40, 40)), (second, new TimeRange(-5, 5))]);
        Assert.Equal(3, tombstones.Count);
        File.WriteAllBytes(Path.Combine(directory, Tombstones.FileName), tombstones.ToBytes());
        File.WriteAllBytes(Path.Combine(directory, BlockMeta.FileName), FileSeals.Sealed(BlockMeta.Read(directory), directory).ToJson());
        using var reopened = BlockReader.Open(directory);
        var got = Assert.Single(TestBlocks.Drain(reopened.Select([], TimeRange.All)));
        Assert.Equal([(0, 1), (30, 4)], got.Value);
    }

    [Fact]
    public void LabelNamesAndValuesComeFromTheIndexAlone()
    {
        using var scratch = new ScratchDirectory();
        var directory = TestBlocks.WriteSmall(scratch.Path);
        using var block = BlockReader.Open(directory);
        Matcher[] metric = [new(MatchType.Equal, "__name__", "metric_3"), new(MatchType.Equal, "job", "")];
        Assert.Equal(["__name__", "instance", "job"], block.LabelNames([], TimeRange.All));
        Assert.Equal(["__name__", "instance"], block.LabelNames(metric, TimeRange.All));
        Assert.Equal(["job1", "job2"], block.LabelValues("job", [], TimeRange.All));
        Assert.Empty(block.LabelValues("job", metric, TimeRange.All));
        Assert.Equal(["host-24", "host-3", "host-45", "host-66", "host-87"], block.LabelValues("instance", metric, TimeRange.All));
        Assert.Empty(block.LabelNames([], new TimeRange(6000, 7000)));
        Assert.Empty(block.LabelValues("job", [], new TimeRange(6000, 7000)));
        Assert.Empty(block.LabelValues("unknown", [], TimeRange.All));
    }

    [Fact]
    public void ABlockClosedWhileAQueryRunsIsReadToTheEnd()
    {
        using var scratch = new ScratchDirectory();
        var block = BlockReader.Open(TestBlocks.WriteSmall(scratch.Path));
        var set = block.Select([], TimeRange.All);
        block.Dispose();
        block.Dispose();
        Assert.Equal(100, TestBlocks.Drain(set).Count);
        Assert.Throws<ObjectDisposedException>(() => block.Select([], TimeRange.All));
    }

    [Fact]
    public void AnUnfinishedBlockLeavesNothing()
    {
        using var scratch = new ScratchDirectory();
        using (var writer = new BlockWriter(scratch.Path, Ulid.New(TimeProvider.System, new Random(1))))
        {
            writer.AddSeries(Labels.Of(("a", "1")).Encoded, [TestBlocks.Xor((1, 1))]);
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(scratch.Path));
    }

    [Fact]
    public void ABlockWithoutSeriesOrWithSamplesOutsideItsTimeIsRefused()
    {
        using var scratch = new ScratchDirectory();
        using var empty = new BlockWriter(scratch.Path, Ulid.New(TimeProvider.System, new Random(1)));
        Assert.Throws<InvalidOperationException>(() => empty.Finish());
        using var narrow = new BlockWriter(scratch.Path, Ulid.New(TimeProvider.System, new Random(2)), new BlockDescription { MaxTimeMs = 5 });
        narrow.AddSeries(Labels.Of(("a", "1")).Encoded, [TestBlocks.Xor((5, 1))]);
        Assert.Throws<InvalidOperationException>(() => narrow.Finish());
    }

    [Theory]
    [InlineData("chunks/000001")]
    [InlineData("tombstones")]
    [InlineData("index")]
    public void EveryFlippedByteIsReportedWithItsFileOrHarmless(string name)
    {
        using var scratch = new ScratchDirectory();
        var directory = TestBlocks.WriteSmall(scratch.Path, 6);
        var path = Path.Combine(directory, name);
        var bytes = File.ReadAllBytes(path);
        Dictionary<Labels, List<(long, double)>> want;
        using (var block = BlockReader.Open(directory))
        {
            want = TestBlocks.Drain(block.Select([], TimeRange.All));
        }

        var reported = 0;
        for (var at = 0; at < bytes.Length; at++)
        {
            var flipped = bytes.ToArray();
            flipped[at] ^= (byte)(1 << (at % 8));
            File.WriteAllBytes(path, flipped);
            try
            {
                using var block = BlockReader.Open(directory);
                Assert.Equal(want, TestBlocks.Drain(block.Select([], TimeRange.All)));
            }
            catch (InvalidDataException e)
            {
                Assert.Contains(path + ": offset ", e.Message);
                reported++;
            }
        }

        Assert.True(reported > bytes.Length / 3, $"{reported} of {bytes.Length} flips were noticed");
    }

    [Theory]
    [InlineData("chunks/000001")]
    [InlineData("tombstones")]
    [InlineData("meta.json")]
    public void EveryTruncationIsReportedWithItsFile(string name)
    {
        using var scratch = new ScratchDirectory();
        var directory = TestBlocks.WriteSmall(scratch.Path, 4);
        var path = Path.Combine(directory, name);
        var bytes = File.ReadAllBytes(path);
        for (var length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(path, bytes[..length]);
            var error = Assert.Throws<InvalidDataException>(() =>
            {
                using var block = BlockReader.Open(directory);
                TestBlocks.Drain(block.Select([], TimeRange.All));
            });
            Assert.Contains(path + ": offset ", error.Message);
        }
    }

    [Fact]
    public void UlidsSortByTimeAndReadBack()
    {
        Assert.Equal("01ARZ3NDEKTSV4RRFFQ69G5FAV", Ulid.Parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").ToString());
        Assert.Equal(1469922850259, Ulid.Parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").Time.ToUnixTimeMilliseconds());
        Assert.False(Ulid.TryParse("81ARZ3NDEKTSV4RRFFQ69G5FAV", out _));
        Assert.False(Ulid.TryParse("01ARZ3NDEKTSV4RRFFQ69G5FAU", out _));
        Assert.False(Ulid.TryParse("01ARZ3", out _));
    }

    [Fact]
    public void TheThanosSectionListsTheFiles()
    {
        using var scratch = new ScratchDirectory();
        var directory = TestBlocks.Write(scratch.Path, [(Labels.Of(("a", "1")), [TestBlocks.Xor((1, 1))])], new BlockDescription
        {
            MinTimeMs = 0,
            MaxTimeMs = 7_200_000,
            Thanos = new ThanosMeta { Source = "metrics", Labels = new Dictionary<string, string> { ["tenant"] = "a" } },
        });
        var meta = BlockMeta.Read(directory);
        Assert.Equal((0, 7_200_000), (meta.MinTime, meta.MaxTime));
        Assert.Equal([meta.Ulid.ToString()], meta.Compaction.Sources!);
        Assert.Equal("a", meta.Thanos!.Labels["tenant"]);
        Assert.Equal(["chunks/000001", "index", "meta.json", "tombstones"], meta.Thanos.Files!.Select(f => f.RelPath));
    }
}
