using System.Text.Json;
using Xunit;

namespace Metrics.Gateway.Tests.QueryApi;

/// <summary><c>analyze</c>, <c>query_explain</c> and the timings of <c>stats</c>, over the real engine.</summary>
public sealed class AnalysisTests
{
    private const string Range = "start=0&end=600&step=60";

    [Theory]
    [InlineData("query?query=sum(m)&analyze=true&stats=true&time={now}", 20)]
    [InlineData("query?query=m%2Bm&analyze=1&stats=all&time={now}", 40)]
    [InlineData("query_range?query=sum(count_over_time(m[5m]))&analyze=true&stats=true&start={now}&end={now}&step=60", 20)]
    [InlineData("query?query=max_over_time(sum(m)[5m:1s])&analyze=true&stats=true&time={now}", 1)]
    [InlineData("query?query=sum(m)&analyze=true&stats=true&time={now}&replicaLabels[]=i", 1)]
    public async Task AnalysisHasThanosShapeAndItsLeavesHaveTheSamples(string path, long samples)
    {
        await using var app = await RealGateway.StartAsync();
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() / 1000;
        Assert.Equal(204, (await app.WriteAsync([("X-Scope-OrgID", "a")], now * 1000, [.. Enumerable.Range(0, 20).Select(i => $"__name__=m,i={i}")])).Code);
        var answer = await app.GetAsync("/api/v1/" + path.Replace("{now}", $"{now}"), ("X-Scope-OrgID", "a"));
        Assert.True(answer.Code == 200, answer.Body);
        var data = JsonDocument.Parse(answer.Body).RootElement.GetProperty("data");
        var analysis = data.GetProperty("analysis");
        Assert.Equal(samples, data.GetProperty("stats").GetProperty("samples").GetProperty("totalQueryableSamples").GetInt64());
        Assert.Equal(samples, Leaves(analysis).Sum(l => l.TryGetProperty("totalSamples", out var some) ? some.GetInt64() : 0));
        Assert.Equal(samples, analysis.GetProperty("totalSamples").GetInt64());
        Assert.Matches(@"^([0-9.]+h)?([0-9.]+m)?[0-9.]+(µs|ms|s)$", analysis.GetProperty("executionTime").GetString());
        Assert.NotEmpty(analysis.GetProperty("name").GetString()!);
    }

    [Theory]
    [InlineData("query_explain?query=sum by (i) (rate(m[5m]))", """{"name":"[shards] 4","children":[{"name":"[aggregate] sum by (i)","children":[{"name":"[matrixSelector] rate({__name__=\"m\"}[5m])"}]}]}""")]
    [InlineData("query_range_explain?query=vector(1)&" + Range, """{"name":"[stepInvariant]","children":[{"name":"[function] vector","children":[{"name":"[numberLiteral] 1"}]}]}""")]
    public async Task ExplanationsAreThePlan(string path, string plan)
    {
        await using var app = await RealGateway.StartAsync();
        Assert.Equal(204, (await app.WriteAsync("default", "__name__=m")).Code);
        var answer = await app.GetAsync("/api/v1/" + path);
        Assert.Equal((200, $$"""{"status":"success","data":{{plan}}}"""), (answer.Code, answer.Body.Replace("\\u0022", "\\\"", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("query_explain?query=sum(", 400)]
    [InlineData("query_explain?query=m&time=x", 400)]
    [InlineData("query_range_explain?query=m[5m]&" + Range, 400)]
    [InlineData("query_range_explain?query=m&start=0", 400)]
    public async Task WhatIsNoQueryIsNotExplained(string path, int status)
    {
        await using var app = await RealGateway.StartAsync();
        Assert.Equal(status, (await app.GetAsync("/api/v1/" + path)).Code);
    }

    [Fact]
    public async Task TimingsAreOfThisQueryAndAddUp()
    {
        await using var app = await RealGateway.StartAsync();
        Assert.Equal(204, (await app.WriteAsync("default", [.. Enumerable.Range(0, 2000).Select(i => $"__name__=m,i={i}")])).Code);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() / 1000;
        var answer = await app.GetAsync($"/api/v1/query_range?query=m&stats=true&start={now - 600}&end={now + 60}&step=1");
        var data = JsonDocument.Parse(answer.Body).RootElement.GetProperty("data");
        Assert.False(data.TryGetProperty("analysis", out _));
        var timings = data.GetProperty("stats").GetProperty("timings").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetDecimal());
        Assert.All(["queryPreparationTime", "innerEvalTime", "resultSortTime", "evalTotalTime", "execQueueTime", "execTotalTime"], name => Assert.True(timings[name] > 0, $"{name} in {answer.Body[^600..]}"));
        Assert.Equal(timings["evalTotalTime"], timings["queryPreparationTime"] + timings["innerEvalTime"] + timings["resultSortTime"]);
        Assert.Equal(timings["execTotalTime"], timings["evalTotalTime"] + timings["execQueueTime"]);
    }

    private static IEnumerable<JsonElement> Leaves(JsonElement node) => node.TryGetProperty("children", out var children) ? children.EnumerateArray().SelectMany(Leaves) : [node];
}
