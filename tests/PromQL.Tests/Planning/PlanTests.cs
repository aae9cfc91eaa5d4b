using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;
using Xunit;

namespace Metrics.PromQL.Tests.Planning;

public sealed class PlanTests
{
    private static readonly TimeGrid grid = new(0, 120_000, 60_000);

    [Theory]
    [InlineData("1 + 2 * 3", "7")]
    [InlineData("-(2 ^ 3)", "-8")]
    [InlineData("pi() > bool 3", "1")]
    public void ConstantsAreFolded(string query, string plan) => Assert.Equal(plan, Plan(query));

    [Theory]
    [InlineData("m", "#0({__name__=\"m\"})")]
    [InlineData("sum by (a) (m * 2)", "#0(sum by(a) (({__name__=\"m\"} * 2)))")]
    [InlineData("sum(m) / sum(n)", "(#0(sum by() ({__name__=\"m\"} only())) / #1(sum by() ({__name__=\"n\"} only())))")]
    [InlineData("topk(2, m)", "topk by() (#0(topk by() ({__name__=\"m\"}, 2)), 2)")]
    [InlineData("quantile(0.5, m)", "quantile by() (#0({__name__=\"m\"} only()), 0.5)")]
    [InlineData("count by (a) (m and on (b) n)", "count by(a) ((#0({__name__=\"m\"} only(a, b)) and on(b) #1({__name__=\"n\"} only(b))))")]
    [InlineData("sum without (a) (m and on (b) n)", "sum without(a) ((#0({__name__=\"m\"}) and on(b) #1({__name__=\"n\"})))")]
    [InlineData("count(m and n)", "count by() ((#0({__name__=\"m\"}) and #1({__name__=\"n\"})))")]
    [InlineData("count(m or on (b) n)", "count by() ((#0({__name__=\"m\"}) or on(b) #1({__name__=\"n\"})))")]
    [InlineData("sum(rate(m[5m]))", "#0(sum by() (rate({__name__=\"m\"}[300000])))")]
    [InlineData("sum(max(m))", "sum by() (#0(max by() ({__name__=\"m\"} only())))")]
    [InlineData("sum(-{a=\"b\"})", "sum by() (#0(-({a=\"b\"})))")]
    [InlineData("m + scalar(n)", "(#0({__name__=\"m\"}) + scalar(#1({__name__=\"n\"})))")]
    public void TheCutIsAtTheHighestShardLocalPlace(string query, string plan) => Assert.Equal(plan, Plan(query));

    [Theory]
    [InlineData("m @ 10", "#0(once(<0..0/0>{__name__=\"m\"} @ 10000))")]
    [InlineData("sum(m @ end()) + n", "(once(<0..0/0>#0(sum by() ({__name__=\"m\"} @ 120000 only()))) + #1({__name__=\"n\"}))")]
    [InlineData("timestamp(m @ 10)", "#0(once(<0..0/0>timestamp({__name__=\"m\"} @ 10000)))")]
    public void WhatDoesNotMoveWithTheStepIsEvaluatedOnce(string query, string plan) => Assert.Equal(plan, Plan(query));

    [Theory]
    [InlineData("m{a=\"1\"} + n", "(#0({a=\"1\",__name__=\"m\"}) + #1({__name__=\"n\",a=\"1\"}))")]
    [InlineData("m{a=\"1\"} + ignoring(a) n", "(#0({a=\"1\",__name__=\"m\"}) + ignoring(a) #1({__name__=\"n\"}))")]
    [InlineData("m{a=\"1\"} or n", "(#0({a=\"1\",__name__=\"m\"}) or #1({__name__=\"n\"}))")]
    public void WhatOneSideOfAJoinDemandsTheOtherDemandsToo(string query, string plan) => Assert.Equal(plan, Plan(query));

    [Fact]
    public void ASelectorThatStandsTwiceIsReadOnce() =>
        Assert.Equal("(#0({__name__=\"m\"}) / ignoring(a) #0({__name__=\"m\"}))", Plan("m / ignoring(a) m"));

    [Fact]
    public void ASubqueryHasAGridOfItsOwnAlignedToItsStep() =>
        Assert.Equal("#0(max_over_time(subquery(<-240000..120000/60000>{__name__=\"m\"})[300000]))", Plan("max_over_time(m[5m:1m])"));

    private static string Plan(string query) =>
        PlanText.Of(QueryPlan.Make(PromQLParser.Parse(query, ParseOptions.All), grid, 300_000, new EngineOptions()).Root);
}
