using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Tests.Exchange;
using Metrics.PromQL.Tests.Execution;
using Metrics.PromQL.Tests.Reference;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.PromQL.Tests.Analysis;

/// <summary>What operators are told to be and to have taken.</summary>
public sealed class AnalysisTests(ITestOutputHelper log)
{
    private static readonly EngineOptions options = new() { Parsing = ParseOptions.All };
    private static readonly TimeGrid steps = new(200_000, 220_000, 5_000);

    [Theory]
    [InlineData("one", "[shards] 4 ([vectorSelector] {__name__=\"one\"})")]
    [InlineData("sum by (n) (rate(three[1m] offset 10s))", "[shards] 4 ([aggregate] sum by (n) ([matrixSelector] rate({__name__=\"three\"}[1m] offset 10s)))")]
    [InlineData("topk(2, three)", "[aggregate] topk ([shards] 4 ([aggregate] topk ([vectorSelector] {__name__=\"three\"}, [numberLiteral] 2)), [numberLiteral] 2)")]
    [InlineData("quantile(0.5, three) > bool 1", "[binary] > bool ([aggregate] quantile ([shards] 4 ([vectorSelector] {__name__=\"three\"}), [numberLiteral] 0.5), [numberLiteral] 1)")]
    [InlineData("one * on () group_right () three", "[binary] * on () group_right () ([shards] 4 ([vectorSelector] {__name__=\"one\"}), [shards] 4 ([vectorSelector] {__name__=\"three\"}))")]
    [InlineData("max_over_time(sum(three)[1m:10s])", "[function] max_over_time ([subquery] [1m:10s] ([shards] 4 ([aggregate] sum ([vectorSelector] {__name__=\"three\"}))))")]
    [InlineData("sum(three @ 200)", "[stepInvariant] ([shards] 4 ([aggregate] sum ([vectorSelector] {__name__=\"three\"} @ 200)))")]
    public async Task TheOperatorsThatAreExplainedAreThoseThatRun(string query, string outline)
    {
        var engine = new QueryEngine(options);
        Assert.Equal(outline, Text(engine.Explain(new QueryRequest(query, steps, true), 4)));
        using var result = await RunAsync(query, steps, 2);
        Assert.Equal(outline, Text(WithoutSamples(result.Analysis!)));
    }

    [Theory]
    [InlineData("one", 5)]
    [InlineData("sum(three)", 15)]
    [InlineData("three + three", 30)]
    [InlineData("sum by (n) (rate(three[1m]))", 90)]
    [InlineData("sum(three @ 200)", 15)]
    [InlineData("max_over_time(sum(three)[1m:10s])", 30)]
    [InlineData("max_over_time(rate(three[1m])[2s:1s])", 30)]
    [InlineData("quantile_over_time(scalar(one), three[1m])", 95)]
    [InlineData("timestamp(three)", 15)]
    [InlineData("absent(nothing)", 0)]
    [InlineData("vector(1)", 0)]
    public async Task SamplesOfTheLeavesAreThoseOfTheQuery(string query, long samples)
    {
        foreach (var bits in new[] { 0, 2 })
        {
            using var result = await RunAsync(query, steps, bits);
            var root = result.Analysis!;
            Assert.Equal((samples, samples, samples), (result.Statistics.TotalQueryableSamples, root.Samples, Leaves(root).Sum(static l => l.Samples)));
            Assert.Equal(result.Statistics.PeakSamples, root.PeakSamples);
        }
    }

    [Fact]
    public async Task EachOperatorTellsItsSeriesAndItsTimeHoldsThatOfItsChildren()
    {
        using var result = await RunAsync("sum(rate(three[1m])) / on () one", steps, 2);
        var (sum, one) = (result.Analysis!.Children[0], result.Analysis.Children[1]);
        Assert.Equal((1L, 1L, 3L, 1L), (result.Analysis.Series, sum.Series, sum.Children[0].Children[0].Series, one.Series));
        Assert.True(sum.Children[0].Time >= sum.Children[0].Children[0].Time);
        Assert.True(sum.Children[0].Children[0].Time > TimeSpan.Zero);
        Assert.True(result.Statistics.Preparation > TimeSpan.Zero);
    }

    [Fact]
    public async Task NobodyWhoDoesNotAskIsTold()
    {
        using var result = await new QueryEngine(options).ExecuteAsync(new QueryRequest("sum(three)", steps, true), Leaves(2), default);
        Assert.Null(result.Analysis);
    }

    [Fact]
    public async Task OfAnyQueryTheSamplesOfTheLeavesAreThoseOfTheQuery()
    {
        for (var seed = 1; seed <= 1500; seed++)
        {
            var random = new Random(seed);
            var data = new DataGenerator(random).Series();
            var query = new QueryGenerator(random).Vector(random.Next(1, 4));
            var grid = new TimeGrid(400_000, 400_000 + (20_000 * random.Next(1, 20)), 20_000);
            try
            {
                var leaves = NaiveSource.Shards(data, 3, options);
                using var plain = await new QueryEngine(options).ExecuteAsync(new(query, grid, true), leaves, default);
                using var analysed = await new QueryEngine(options).ExecuteAsync(new(query, grid, true) { Analyze = true }, leaves, default);
                var root = analysed.Analysis!;
                var (want, all, found) = (plain.Statistics.TotalQueryableSamples, root.Samples, Leaves(root).Sum(static l => l.Samples));
                Assert.True(want == all && want == found, $"seed {seed}: {query}: {want} samples, of the root {all}, of the leaves {found}: {Text(root)}");
                Assert.Equal(plain.Series.Count, analysed.Series.Count);
            }
            catch (QueryException e) when (e.Kind == QueryErrorKind.Execution)
            {
                log.WriteLine($"seed {seed}: {e.Message}");
            }
        }
    }

    private static IReadOnlyList<IQueryLeaf> Leaves(int bits)
    {
        var times = Enumerable.Range(0, 101).Select(i => i * 10_000L).ToArray();
        var values = times.Select(t => (double)t).ToArray();
        var series = new MemorySeries().Add(Labels.Of(("__name__", "one")), times, values);
        for (var n = 0; n < 3; n++)
        {
            series.Add(Labels.Of(("__name__", "three"), ("n", $"{n}")), times, values);
        }

        return [.. series.Leaves(bits, options).Select(l => new WiredLeaf(l))];
    }

    private static async Task<QueryResult> RunAsync(string query, TimeGrid grid, int bits) =>
        await new QueryEngine(options).ExecuteAsync(new QueryRequest(query, grid, true) { Analyze = true }, Leaves(bits), default);

    private static IEnumerable<OperatorReport> Leaves(OperatorReport report) => report.Children.Count == 0 ? [report] : report.Children.SelectMany(Leaves);

    private static OperatorReport WithoutSamples(OperatorReport report) => report with { Children = [.. report.Children.Where(c => c.Name != "[samples]").Select(WithoutSamples)] };

    private static string Text(PlanOutline outline) => outline.Name + (outline.Children.Count == 0 ? "" : $" ({string.Join(", ", outline.Children.Select(Text))})");

    private static string Text(OperatorReport report) => report.Name + (report.Children.Count == 0 ? "" : $" ({string.Join(", ", report.Children.Select(Text))})");
}
