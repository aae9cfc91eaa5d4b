using Metrics.Gateway.FrontEnd;
using Metrics.PromQL.Parsing;
using Xunit;

namespace Metrics.Gateway.Tests.FrontEnd;

public sealed class QueryReachTests
{
    private const long Never = long.MinValue;

    [Theory]
    [InlineData("up", 0, Never)]
    [InlineData("1 + time()", Never, Never)]
    [InlineData("up offset 5m", -300_000, Never)]
    [InlineData("up offset -5m", 300_000, Never)]
    [InlineData("rate(up[1h] offset -1m)", 60_000, Never)]
    [InlineData("up offset 5m + up offset -1s", 1000, Never)]
    [InlineData("up @ 100", Never, 100_000)]
    [InlineData("up @ 100 offset -1m", Never, 160_000)]
    [InlineData("up @ 100 + down", 0, 100_000)]
    [InlineData("max_over_time(up[1h:1m] offset -2m)", 120_000, Never)]
    [InlineData("max_over_time((up offset -1m)[1h:1m] offset -2m)", 180_000, Never)]
    [InlineData("max_over_time((up offset -1m)[1h:1m] @ 500)", Never, 560_000)]
    [InlineData("max_over_time((up @ 900)[1h:1m] @ 500)", Never, 900_000)]
    [InlineData("rate(up[5m] smoothed)", 300_000, Never)]
    [InlineData("rate(up[5m] anchored)", 0, Never)]
    [InlineData("topk(scalar(k offset -10s), -(up))", 10_000, Never)]
    public void TheLatestSampleAStepNeedsIsKnown(string query, long relativeMs, long fixedMs)
    {
        var reach = QueryReach.Of(PromQLParser.Parse(query, ParseOptions.All), 300_000);
        Assert.True(reach.IsSplittable);
        Assert.Equal((relativeMs, fixedMs), (reach.RelativeMs, reach.FixedMs));
    }

    [Theory]
    [InlineData("up @ start()")]
    [InlineData("sum(rate(up[5m] @ end()))")]
    [InlineData("max_over_time(up[1h:1m] @ end())")]
    [InlineData("up + start()")]
    [InlineData("vector(end())")]
    [InlineData("vector(range())")]
    [InlineData("vector(step())")]
    [InlineData("rate(up[range()])")]
    [InlineData("rate(up[1m * 5])")]
    [InlineData("up offset (1m + 1m)")]
    [InlineData("max_over_time(up[1h:step()])")]
    public void WhatAsksForTheBoundsOfTheRangeIsNotSplit(string query) =>
        Assert.False(QueryReach.Of(PromQLParser.Parse(query, ParseOptions.All), 300_000).IsSplittable);

    [Theory]
    [InlineData("up", 99, 100, true)]
    [InlineData("up", 100, 100, false)]
    [InlineData("up offset -1ms", 99, 100, false)]
    [InlineData("up offset 1ms", 100, 100, true)]
    [InlineData("up @ 0.2", 50, 100, false)]
    [InlineData("up @ 0.2", 500, 201, true)]
    [InlineData("vector(1)", long.MaxValue, 100, true)]
    public void AStepIsSettledWhenAllItNeedsIs(string query, long stepMs, long beforeMs, bool isSettled) =>
        Assert.Equal(isSettled, QueryReach.Of(PromQLParser.Parse(query, ParseOptions.All), 300_000).IsSettled(stepMs, beforeMs));
}
