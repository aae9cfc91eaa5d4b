using System.Text;
using Metrics.Model;

namespace Metrics.Cluster.Tests.Placement;

public sealed class SiloReportTests
{
    [Fact]
    public void AReportSurvivesTheWay()
    {
        var report = new SiloReport("a1", true, 0.5, 0.25, 1 << 30, [new ShardReport("team-a", "0b01", ShardState.Open, 7, 100, 90, [new FollowerReport("b2", 10, false, "silent")], 1, 2, 3, 4, 5, 6.5)]) { Demands = new Dictionary<string, double> { ["team-a"] = 12.5 } };

        var read = SiloReport.Read(report.ToJson());

        Assert.Equivalent(report, read, strict: true);
        Assert.True(read.Shards[0].TryGetShard(out var shard));
        Assert.Equal(new ShardId(TenantId.Parse("team-a"), HashRange.Parse("0b01")), shard);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"node":7}""")]
    public void WhatIsNoReportIsAnError(string json) => Assert.Throws<InvalidDataException>(() => SiloReport.Read(Encoding.UTF8.GetBytes(json)));

    [Theory]
    [InlineData("..", "all")]
    [InlineData("team-a", "0b2")]
    public void AReportOfNoShardNamesNone(string tenant, string range) =>
        Assert.False(new ShardReport(tenant, range, ShardState.Open, 1, 0, 0, [], 0, 0, 0, 0, 0, 0).TryGetShard(out _));
}
