using System.Globalization;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Xunit;

namespace Metrics.PromQL.Tests.Execution;

public sealed class EngineTests
{
    private const long Minute = 60_000;

    private static readonly EngineOptions options = new() { Parsing = ParseOptions.All };

    [Theory]
    [InlineData("m", "m{i=\"0\"}: 10 11; m{i=\"1\"}: 20 21; m{i=\"2\"}: 30 31")]
    [InlineData("sum(m)", "{}: 60 63")]
    [InlineData("sum by (i) (m) > 20", "{i=\"1\"}: _ 21; {i=\"2\"}: 30 31")]
    [InlineData("m - on (i) group_left () n", "{i=\"0\"}: 9 10; {i=\"1\"}: 18 19")]
    [InlineData("n / ignoring (x) m", "{i=\"0\"}: 0.1 0.09090909090909091; {i=\"1\"}: 0.1 0.09523809523809523")]
    [InlineData("m unless n", "m{i=\"2\"}: 30 31")]
    [InlineData("m and on (i) n", "m{i=\"0\"}: 10 11; m{i=\"1\"}: 20 21")]
    [InlineData("n or on (i) m", "m{i=\"2\"}: 30 31; n{i=\"0\"}: 1 1; n{i=\"1\"}: 2 2")]
    [InlineData("topk(1, m)", "m{i=\"2\"}: 30 31")]
    [InlineData("bottomk(2, m)", "m{i=\"0\"}: 10 11; m{i=\"1\"}: 20 21")]
    [InlineData("quantile(0.5, m)", "{}: 20 21")]
    [InlineData("stdvar(m)", "{}: 66.66666666666667 66.66666666666667")]
    [InlineData("count_values(\"v\", n)", "{v=\"1\"}: 1 1; {v=\"2\"}: 1 1")]
    [InlineData("m @ 60 offset 1m", "m{i=\"0\"}: 10 10; m{i=\"1\"}: 20 20; m{i=\"2\"}: 30 30")]
    [InlineData("absent(nothing{a=\"b\"})", "{a=\"b\"}: 1 1")]
    [InlineData("scalar(n{i=\"1\"}) + time()", "{}: 2 62")]
    [InlineData("1 + 2 * 3", "{}: 7 7")]
    public async Task RangeQueriesGiveTheSameOverOneShardAndMany(string query, string expected)
    {
        foreach (var bits in new[] { 0, 1, 4 })
        {
            Assert.Equal(expected, await RunAsync(query, new TimeGrid(0, Minute, Minute), bits));
        }
    }

    [Theory]
    [InlineData("m + on () n", "found duplicate series for the match group {} on the right hand-side of the operation: [{__name__=\"n\", i=\"0\"}, {__name__=\"n\", i=\"1\"}];many-to-many matching not allowed: matching labels must be unique on one side")]
    [InlineData("m + on () n{i=\"0\"}", "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")]
    [InlineData("-{__name__=~\"m|n\"}", "vector cannot contain metrics with the same labelset")]
    [InlineData("topk(NaN, m)", "Parameter value is NaN")]
    public async Task ErrorsReadAsPrometheusSaysThem(string query, string message)
    {
        var error = await Assert.ThrowsAsync<QueryException>(() => RunAsync(query, new TimeGrid(0, Minute, Minute), 2));
        Assert.Equal(message, error.Message);
        Assert.Equal(QueryErrorKind.Execution, error.Kind);
    }

    [Fact]
    public async Task AQueryThatHoldsTooManySamplesFails()
    {
        var small = options with { MaxSamples = 3 };
        var error = await Assert.ThrowsAsync<QueryException>(() =>
            new QueryEngine(small).ExecuteAsync(new QueryRequest("m", new TimeGrid(0, Minute, Minute), true), Data().Leaves(0, small), default).AsTask());
        Assert.Equal("query processing would load too many samples into memory in query execution: limit query.max_samples of 3", error.Message);
    }

    [Fact]
    public async Task ACancelledQuerySaysSo()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var error = await Assert.ThrowsAsync<QueryException>(() =>
            new QueryEngine(options).ExecuteAsync(new QueryRequest("m", TimeGrid.Instant(0), false), Data().Leaves(0, options), cancelled.Token).AsTask());
        Assert.Equal(QueryErrorKind.Canceled, error.Kind);
    }

    [Fact]
    public async Task ASampleExactlyTheLookbackAgoIsTooOldAndAStaleMarkerEndsASeries()
    {
        var data = new MemorySeries().Add(Labels.Of(("__name__", "a")), [0], [1]).Add(Labels.Of(("__name__", "b")), [0, 1000], [1, StaleMarker.Value]);
        var engine = new QueryEngine(options);
        using var within = await engine.ExecuteAsync(new QueryRequest("a", TimeGrid.Instant((5 * Minute) - 1), false), data.Leaves(0, options), default);
        using var beyond = await engine.ExecuteAsync(new QueryRequest("a", TimeGrid.Instant(5 * Minute), false), data.Leaves(0, options), default);
        using var stale = await engine.ExecuteAsync(new QueryRequest("b", TimeGrid.Instant(1000), false), data.Leaves(0, options), default);
        Assert.Single(within.Series);
        Assert.Empty(beyond.Series);
        Assert.Empty(stale.Series);
    }

    [Fact]
    public async Task AFragmentThatTravelledAsTextGivesTheSame()
    {
        var engine = new QueryEngine(options);
        var request = new QueryRequest("sum by (i) (m) / on (i) (n + 1)", new TimeGrid(0, Minute, Minute), true);
        using var direct = await engine.ExecuteAsync(request, Data().Leaves(2, options), default);
        using var travelled = await engine.ExecuteAsync(request, [.. Data().Leaves(2, options).Select(l => new RemoteLeaf(l))], default);
        Assert.Equal(Text(direct, request.Grid), Text(travelled, request.Grid));
    }

    [Fact]
    public async Task TheLimitCutsSeriesOffWithAWarning()
    {
        using var result = await new QueryEngine(options).ExecuteAsync(
            new QueryRequest("m", TimeGrid.Instant(0), false) { Limit = 2 }, Data().Leaves(1, options), default);
        Assert.Equal(2, result.Series.Count);
        Assert.Equal(["results truncated due to limit"], result.Warnings);
    }

    private static MemorySeries Data()
    {
        var data = new MemorySeries();
        for (var i = 0; i < 3; i++)
        {
            data.Add(Labels.Of(("__name__", "m"), ("i", $"{i}")), [0, Minute], [(i + 1) * 10, ((i + 1) * 10) + 1]);
        }

        return data.Add(Labels.Of(("__name__", "n"), ("i", "0")), [0], [1]).Add(Labels.Of(("__name__", "n"), ("i", "1")), [0], [2]);
    }

    private static async Task<string> RunAsync(string query, TimeGrid grid, int bits)
    {
        using var result = await new QueryEngine(options).ExecuteAsync(new QueryRequest(query, grid, true), Data().Leaves(bits, options), default);
        return Text(result, grid);
    }

    private static string Text(QueryResult result, TimeGrid grid) => string.Join("; ", result.Series.Select(s =>
    {
        var points = new string[grid.Count];
        Array.Fill(points, "_");
        for (var i = 0; i < s.Points.Count; i++)
        {
            points[(int)((s.Points.Times[i] - grid.StartMs) / grid.StepMs)] = s.Points.Values[i].ToString("R", CultureInfo.InvariantCulture);
        }

        return $"{s.Labels}: {string.Join(' ', points)}";
    }));

    private sealed class RemoteLeaf(IQueryLeaf inner) : IQueryLeaf
    {
        public ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation) => inner.RunAsync(fragment with { Plan = null }, cancellation);
    }
}
