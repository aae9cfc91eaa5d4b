using Metrics.Model;
using Metrics.PromQL.Tests.Execution;
using Xunit;

namespace Metrics.PromQL.Tests.Exchange;

/// <summary>Bytes that are no fragment or no answer: each is refused, none does worse. That good ones come out as they went in is shown by every query that is run through <see cref="WiredLeaf"/>.</summary>
public sealed class FragmentBytesTests
{
    private static readonly EngineOptions Options = new();
    private static readonly TimeGrid Grid = new(0, 60_000 * 99, 60_000);

    [Theory]
    [InlineData("m")]
    [InlineData("sum by (i) (m)")]
    [InlineData("topk(1, m)")]
    public async Task APrefixOfAnAnswerIsRefused(string query)
    {
        var bytes = await AnswerAsync(query);
        WiredLeaf.Result(bytes).Dispose();
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => WiredLeaf.Result(bytes.AsSpan(0, length)));
        }
    }

    [Theory]
    [InlineData("m")]
    [InlineData("sum by (i) (m)")]
    public async Task AGarbledAnswerIsRefusedOrIsAnAnswer(string query)
    {
        const int Seed = 4711;
        var random = new Random(Seed);
        var bytes = await AnswerAsync(query);
        for (var round = 0; round < 20_000; round++)
        {
            var garbled = bytes.ToArray();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
            {
                garbled[random.Next(Math.Min(garbled.Length, 200))] = (byte)random.Next(256);
            }

            try
            {
                WiredLeaf.Result(garbled).Dispose();
            }
            catch (InvalidDataException)
            {
                continue;
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {Seed}, round {round}: {e}");
            }
        }
    }

    [Fact]
    public void AGarbledFragmentIsRefusedOrIsOne()
    {
        const int Seed = 4712;
        var random = new Random(Seed);
        var asked = new ByteWriter();
        FragmentBytes.Write(asked, new Fragment("sum(rate(m[5m]))", Grid, true, 300_000, true, 60_000, false, true, 1000, 0) { MaxResolutionMs = 5, MinTimeMs = -7, Bounds = new QueryBounds(1, 2, 3, "tenant t"), Added = new AddedLabel("__tenant_id__", "t") });
        for (var round = 0; round < 20_000; round++)
        {
            var garbled = asked.Written.ToArray();
            garbled[random.Next(garbled.Length)] = (byte)random.Next(256);
            try
            {
                var fragment = WiredLeaf.Fragment(garbled);
                Assert.InRange(fragment.Grid.Count, 1, FragmentBytes.MaxSteps);
            }
            catch (InvalidDataException)
            {
                continue;
            }
        }
    }

    [Fact]
    public async Task BoundsAndAnAddedLabelHoldElsewhereToo()
    {
        var data = new MemorySeries().Add(Labels.Of(("__name__", "m")), [0], [1]).Add(Labels.Of(("__name__", "m"), ("i", "1")), [0], [2]);
        var leaf = new WiredLeaf(new LocalLeaf(data, Options));
        var fragment = new Fragment("m", Grid, true, 300_000, false, 60_000, false, false, 1000, 0);
        using var answer = await leaf.RunAsync(fragment with { Added = new AddedLabel("__tenant_id__", "t") }, default);
        Assert.All(answer.Series, s => Assert.Equal("t", s.Labels["__tenant_id__"]));
        Assert.Equal(2, answer.Statistics.FetchedSeries);
        await Assert.ThrowsAsync<QueryException>(async () => await leaf.RunAsync(fragment with { Bounds = new QueryBounds(MaxSeries: 1) }, default));
        using var later = await leaf.RunAsync(fragment with { MinTimeMs = 1 }, default);
        Assert.True(answer.Batches.Sum(b => b.CountPresent()) > 0);
        Assert.Equal(0, later.Batches.Sum(b => b.CountPresent()));
    }

    [Theory]
    [InlineData("sum(", 0)]
    [InlineData("m", 1)]
    [InlineData("1", 0)]
    public async Task AFragmentThatTheQueryDoesNotHaveIsAnErrorOfTheQuery(string query, int index)
    {
        var leaf = new LocalLeaf(new MemorySeries(), Options);
        var failed = await Assert.ThrowsAsync<QueryException>(async () => await leaf.RunAsync(new Fragment(query, Grid, true, 300_000, false, 60_000, false, false, 1000, index), default));
        Assert.Equal(QueryErrorKind.BadData, failed.Kind);
    }

    private static async Task<byte[]> AnswerAsync(string query)
    {
        var data = new MemorySeries();
        for (var i = 0; i < 3; i++)
        {
            data.Add(Labels.Of(("__name__", "m"), ("i", $"{i}")), [0, 60_000, 600_000], [i, i + 0.5, double.NaN]);
        }

        using var result = await new LocalLeaf(data, Options).RunAsync(new Fragment(query, Grid, true, 300_000, false, 60_000, false, false, 1_000_000, 0), default);
        var bytes = new ByteWriter();
        FragmentResultBytes.Write(bytes, result);
        return bytes.Written.ToArray();
    }
}
