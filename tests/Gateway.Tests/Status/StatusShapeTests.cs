using System.Net;
using System.Text.Json;
using Xunit;

namespace Metrics.Gateway.Tests.Status;

public sealed class StatusShapeTests
{
    [Theory]
    [InlineData("targets", """{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}""")]
    [InlineData("targets?state=active&scrapePool=x", """{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}""")]
    [InlineData("targets/metadata?match_target={job=\"x\"}&metric=up", "[]")]
    [InlineData("scrape_pools", """{"scrapePools":[]}""")]
    [InlineData("notifications", "[]")]
    [InlineData("alertmanagers", """{"activeAlertmanagers":[],"droppedAlertmanagers":[]}""")]
    [InlineData("status/active_queries", """{"activeQueries":[]}""")]
    public async Task WhatIsNotThereHasItsShape(string path, string data)
    {
        await using var app = await GatewayApp.StartAsync();
        Assert.Equal((HttpStatusCode.OK, $$"""{"status":"success","data":{{data}}}"""), await app.GetAsync("/api/v1/" + path));
    }

    [Theory]
    [InlineData("targets/relabel_steps", "no scrapePool parameter provided")]
    [InlineData("targets/relabel_steps?scrapePool=x", "no labels parameter provided")]
    [InlineData("targets/relabel_steps?scrapePool=x&labels={}", "error retrieving scrape config: scrape pool \\\"x\\\" not found")]
    [InlineData("scrape_pools/config", "no scrapePool parameter provided")]
    [InlineData("scrape_pools/config?scrapePool=x", "error retrieving scrape config: scrape pool \\\"x\\\" not found")]
    public async Task AScrapePoolThatIsAskedAboutIsNotThere(string path, string error)
    {
        await using var app = await GatewayApp.StartAsync();
        Assert.Equal((HttpStatusCode.BadRequest, $$"""{"status":"error","errorType":"bad_data","error":"{{error}}"}"""), await app.GetAsync("/api/v1/" + path));
    }

    [Fact]
    public async Task FeaturesSayWhatIsOn()
    {
        await using var app = await GatewayApp.StartAsync();
        using var answer = JsonDocument.Parse((await app.GetAsync("/api/v1/features")).Body);
        var features = answer.RootElement.GetProperty("data");
        Assert.True(features.GetProperty("promql_functions").GetProperty("rate").GetBoolean());
        Assert.False(features.GetProperty("promql_functions").GetProperty("info").GetBoolean());
        Assert.True(features.GetProperty("promql_operators").GetProperty("topk").GetBoolean());
        Assert.True(features.GetProperty("api").GetProperty("query_stats").GetBoolean());
    }
}
