using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Tests.Exchange;
using Xunit;

namespace Metrics.PromQL.Tests.Execution;

/// <summary>What a query looks at and reads, in all and by steps. The figures follow from Prometheus's definition; see <c>util/stats</c> there.</summary>
public sealed class StatisticsTests
{
    private static readonly EngineOptions options = new() { Parsing = ParseOptions.All };

    [Theory]
    [InlineData("one", "1 1 1 1 1", "1 1 1 1 1")]
    [InlineData("sum(three)", "3 3 3 3 3", "3 3 3 3 3")]
    [InlineData("one + on () group_right () three", "4 4 4 4 4", "4 4 4 4 4")]
    [InlineData("rate(one[1m])", "6 6 6 6 6", "6 0 1 0 1")]
    [InlineData("sum by (n) (rate(three[1m]))", "18 18 18 18 18", "18 0 3 0 3")]
    [InlineData("one @ 200", "1 1 1 1 1", "1 0 0 0 0")]
    [InlineData("rate(one[1m] @ 200)", "6 6 6 6 6", "6 0 0 0 0")]
    [InlineData("sum(rate(three[1m] @ 200))", "18 18 18 18 18", "18 0 0 0 0")]
    [InlineData("max_over_time(one[1m:10s])", "6 6 6 6 6", "6 0 1 0 1")]
    [InlineData("max_over_time(sum(three)[1m:10s])", "6 6 6 6 6", "18 0 3 0 3")]
    [InlineData("max_over_time(sum(three)[1m:10s] offset 10s)", "6 6 6 6 6", "18 0 3 0 3")]
    [InlineData("max_over_time(rate(one[1m])[2s:1s])", "2 2 2 2 2", "7 0 1 0 1")]
    [InlineData("max_over_time(one[2s:1s] offset 3s)", "2 2 2 2 2", "2 2 2 2 2")]
    [InlineData("nothing", "0 0 0 0 0", "0 0 0 0 0")]
    [InlineData("1 + 1", "0 0 0 0 0", "0 0 0 0 0")]
    public async Task SamplesAreCountedByStepsHoweverTheSeriesAreSpread(string query, string looked, string read)
    {
        foreach (var bits in new[] { 0, 3 })
        {
            var statistics = await RunAsync(query, new TimeGrid(200_000, 220_000, 5_000), true, bits);
            Assert.Equal((looked, read), (Text(statistics.TotalQueryableSamplesPerStep), Text(statistics.SamplesReadPerStep)));
            Assert.Equal((statistics.TotalQueryableSamplesPerStep!.Sum(), statistics.SamplesReadPerStep!.Sum()), (statistics.TotalQueryableSamples, statistics.SamplesRead));

            // The sums are the same when nobody asks for steps.
            var sums = await RunAsync(query, new TimeGrid(200_000, 220_000, 5_000), false, bits);
            Assert.Null(sums.TotalQueryableSamplesPerStep);
            Assert.Equal((statistics.TotalQueryableSamples, statistics.SamplesRead), (sums.TotalQueryableSamples, sums.SamplesRead));
        }
    }

    [Theory]
    [InlineData("one[1m]", 6, 6)]
    [InlineData("rate(one[1m])[1m:10s]", 36, 11)]
    [InlineData("max_over_time(sum(three)[1m:10s])", 6, 18)]
    public async Task AnInstantIsAStep(string query, long looked, long read)
    {
        var statistics = await RunAsync(query, TimeGrid.Instant(200_000), true, 2);
        Assert.Equal(($"{looked}", $"{read}"), (Text(statistics.TotalQueryableSamplesPerStep), Text(statistics.SamplesReadPerStep)));
    }

    private static async Task<QueryStatistics> RunAsync(string query, TimeGrid grid, bool perStep, int bits)
    {
        var times = Enumerable.Range(0, 101).Select(i => i * 10_000L).ToArray();
        var values = times.Select(t => (double)t).ToArray();
        var series = new MemorySeries().Add(Labels.Of(("__name__", "one")), times, values);
        for (var n = 0; n < 3; n++)
        {
            series.Add(Labels.Of(("__name__", "three"), ("n", $"{n}")), times, values);
        }

        var leaves = series.Leaves(bits, options).Select(l => new WiredLeaf(l)).ToList();
        using var result = await new QueryEngine(options).ExecuteAsync(new QueryRequest(query, grid, grid.Count > 1) { PerStepStatistics = perStep }, leaves, default);
        return result.Statistics;
    }

    private static string Text(IReadOnlyList<long>? steps) => string.Join(' ', steps!);
}
