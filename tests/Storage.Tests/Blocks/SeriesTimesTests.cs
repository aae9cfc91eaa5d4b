using Metrics.Model;
using Xunit;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage.Tests;

public class SeriesTimesTests
{
    private const long Minute = 60_000;

    [Fact]
    public void OneAnswerTellsForEveryRangeWhatASelectionWouldFind()
    {
        var random = new Random(11);
        for (var round = 0; round < 10; round++)
        {
            using var scratch = new ScratchDirectory();
            using var block = BlockReader.Open(TestBlocks.Write(scratch.Path, Enumerable.Range(0, 30).Select(i => (Labels.Of(("i", $"{i}"), ("job", $"{i % 3}")), Chunks(random)))));
            IReadOnlyList<Matcher> matchers = random.Next(2) == 0 ? [] : [new Matcher(MatchType.NotEqual, "job", "1")];
            var within = random.Next(2) == 0 ? HashRange.Everything : HashRange.Everything.Split().Low;
            var times = SeriesTimes.Read(block, matchers, within, 100_000, default)!;
            for (var i = 0; i < 200; i++)
            {
                var start = random.NextInt64(-10 * Minute, 320 * Minute);
                var range = random.Next(20) == 0 ? TimeRange.All : new TimeRange(start, start + random.NextInt64(0, random.Next(2) == 0 ? 10 * Minute : 200 * Minute));
                using var selected = block.Select(matchers, range, Aggregate.Average, within, default);
                var want = Enumerable.Range(0, selected.Count).Select(selected.LabelsOf).Order().ToList();
                var direct = new List<Labels>();
                SeriesTimes.Visit(block, matchers, range, within, labels => direct.Add(Labels.FromEncoded(labels)), default);
                Assert.Equal(want, direct.Order());
                if (SeriesTimes.Tells(range))
                {
                    var told = new List<Labels>();
                    times.Visit(range, labels => told.Add(Labels.FromEncoded(labels)));
                    Assert.Equal(want, told.Order());
                }
            }
        }
    }

    [Theory]
    [InlineData(0, 5 * Minute, true)]
    [InlineData(0, (5 * Minute) - 1, false)]
    [InlineData(long.MinValue, long.MaxValue, true)]
    [InlineData(5, 4, false)]
    [InlineData(long.MaxValue, long.MinValue, false)]
    public void ARangeThatMayLieBetweenTwoChunksIsNotTold(long min, long max, bool told) => Assert.Equal(told, SeriesTimes.Tells(new TimeRange(min, max)));

    [Fact]
    public void WhatIsLargerThanItMayBeIsNotRead()
    {
        using var scratch = new ScratchDirectory();
        using var block = BlockReader.Open(TestBlocks.WriteSmall(scratch.Path));
        var all = SeriesTimes.Read(block, [], HashRange.Everything, long.MaxValue, default)!;
        Assert.NotNull(SeriesTimes.Read(block, [], HashRange.Everything, all.Bytes + 100, default));
        Assert.Null(SeriesTimes.Read(block, [], HashRange.Everything, all.Bytes - 100, default));

        // Scraped without a gap, a series is one run.
        Assert.InRange(all.Bytes, 100 * 24, 100 * 100);
    }

    /// <summary>Some chunks with gaps that are short, just as long as may be joined, one longer, or long.</summary>
    private static BlockChunk[] Chunks(Random random)
    {
        var chunks = new BlockChunk[random.Next(1, 8)];
        var at = random.NextInt64(0, 100 * Minute);
        for (var i = 0; i < chunks.Length; i++)
        {
            var end = at + random.NextInt64(1, 10 * Minute);
            chunks[i] = TestBlocks.Xor((at, 1), (end, 2));
            at = end + (random.Next(4) switch { 0 => 1, 1 => (5 * Minute) + 1, 2 => (5 * Minute) + 2, _ => random.NextInt64(1, 60 * Minute) });
        }

        return chunks;
    }
}
