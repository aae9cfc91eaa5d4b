using System.Net;
using Metrics.Cluster;
using Metrics.Gateway.Tests.FrontEnd;
using Metrics.Model;
using Metrics.PromQL.Tests.Reference;
using Xunit;

namespace Metrics.Gateway.Tests.Status;

/// <summary>How many series carry which labels, over the shards of a tenant and over HTTP.</summary>
public sealed class CardinalityTests
{
    private const string Empty = """{"headStats":{"numSeries":0,"numLabelPairs":0,"chunkCount":0,"minTime":9223372036854775807,"maxTime":-9223372036854775808},"seriesCountByMetricName":[],"labelValueCountByLabelName":[],"memoryInBytesByLabelName":[],"seriesCountByLabelValuePair":[]}""";

    [Fact]
    public async Task HeadsAreCountedOverAllShards()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        Assert.Equal(
            """{"status":"success","data":{"headStats":{"numSeries":45,"numLabelPairs":46,"chunkCount":45,"minTime":1000,"maxTime":40000},"seriesCountByMetricName":[{"name":"up","value":40},{"name":"build_info","value":5}],"labelValueCountByLabelName":[{"name":"i","value":40},{"name":"job","value":4}],"memoryInBytesByLabelName":[{"name":"__name__","value":490},{"name":"job","value":225}],"seriesCountByLabelValuePair":[{"name":"__name__=up","value":40},{"name":"job=j0","value":15}]}}""",
            await client.GetStringAsync("/api/v1/status/tsdb?limit=2"));
        client.DefaultRequestHeaders.Add("X-Scope-OrgID", "nobody");
        Assert.Equal($$"""{"status":"success","data":{{Empty}}}""", await client.GetStringAsync("/api/v1/status/tsdb"));
    }

    [Theory]
    [InlineData("status/tsdb?limit=0", "limit must be a positive number")]
    [InlineData("status/tsdb?limit=x", "limit must be a positive number")]
    [InlineData("status/tsdb?limit=10001", "limit must not exceed 10000")]
    [InlineData("cardinality/label_names?limit=501", "'limit' param cannot be greater than '500'")]
    [InlineData("cardinality/label_names?limit=-1", "'limit' param cannot be less than '0'")]
    [InlineData("cardinality/label_values", "'label_names[]' param is required")]
    [InlineData("cardinality/active_series", "'selector' param is required")]
    public async Task BadParametersAreRefused(string path, string message)
    {
        await using var app = await GatewayApp.StartAsync();
        Assert.Equal((HttpStatusCode.BadRequest, $$"""{"status":"error","errorType":"bad_data","error":"{{message}}"}"""), await app.GetAsync("/api/v1/" + path));
    }

    [Fact]
    public async Task LabelNamesAndValuesAreCountedAsMimirDoes()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        Assert.Equal(
            """{"label_values_count_total":46,"label_names_count":3,"cardinality":[{"label_name":"i","label_values_count":40},{"label_name":"job","label_values_count":4}]}""",
            await client.GetStringAsync("/api/v1/cardinality/label_names?limit=2"));
        Assert.Equal(
            """{"label_values_count_total":12,"label_names_count":3,"cardinality":[{"label_name":"i","label_values_count":10},{"label_name":"__name__","label_values_count":1},{"label_name":"job","label_values_count":1}]}""",
            await client.GetStringAsync("/api/v1/cardinality/label_names?selector={job=\"j1\"}"));
        Assert.Equal(
            """{"series_count_total":45,"labels":[{"label_name":"job","label_values_count":4,"series_count":45,"cardinality":[{"label_value":"j0","series_count":15},{"label_value":"j1","series_count":10}]},{"label_name":"none","label_values_count":0,"series_count":0,"cardinality":[]}]}""",
            await client.GetStringAsync("/api/v1/cardinality/label_values?label_names[]=job&label_names[]=none&limit=2"));
        Assert.Equal(
            """{"series_count_total":20,"labels":[{"label_name":"job","label_values_count":2,"series_count":20,"cardinality":[{"label_value":"j1","series_count":10},{"label_value":"j2","series_count":10}]}]}""",
            await client.GetStringAsync("/api/v1/cardinality/label_values?label_names[]=job&selector=up{job=~\"j[12]\"}"));
        Assert.Equal(
            """{"data":[{"__name__":"build_info","i":"0","job":"j0"},{"__name__":"build_info","i":"1","job":"j0"}]}""",
            await client.GetStringAsync("/api/v1/cardinality/active_series?selector=build_info{i=~\"0|1\"}"));
    }

    [Fact]
    public async Task WhatWasCutFromTheHeadStillCountsWithASelector()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        using var flushed = await client.PostAsync("/ingester/flush?wait=true", null);
        Assert.Contains("\"series_count\":45", await client.GetStringAsync("/api/v1/cardinality/label_values?label_names[]=job&selector={job!=\"\"}"), StringComparison.Ordinal);
    }

    [Fact]
    public void DistinctTextsAreCountedExactlyWhileTheyAreFewAndWithinThreePercentWhenTheyAreMany()
    {
        foreach (var (texts, shards) in new[] { (10, 1), (8000, 4), (20_000, 1), (100_000, 3), (1_000_000, 4) })
        {
            var whole = new DistinctCount();
            for (var shard = 0; shard < shards; shard++)
            {
                var part = new DistinctCount();
                for (var i = 0; i < texts; i++)
                {
                    // Every text in one shard, every third in all of them.
                    if (i % shards == shard || i % 3 == 0)
                    {
                        part.Add(System.Text.Encoding.UTF8.GetBytes($"pod-{i}"));
                    }
                }

                whole.Add(new DistinctCount(part.Hashes, part.Sketch));
            }

            Assert.InRange(whole.Count, texts <= DistinctCount.ExactMax ? texts : (long)(texts * 0.97), texts <= DistinctCount.ExactMax ? texts : (long)(texts * 1.03));
        }
    }

    /// <summary>40 series up of four jobs, five series build_info of the first.</summary>
    private static async Task<StoredSeries> WorldAsync()
    {
        var world = new StoredSeries();
        world.Time.Now = DateTimeOffset.UnixEpoch.AddHours(1);
        await world.WriteAsync(Enumerable.Range(0, 40).Select(i => new NaiveSeries(Labels.Of(("__name__", "up"), ("i", $"{i}"), ("job", $"j{i % 4}")), [new NaiveSample((i + 1) * 1000, 1)])));
        await world.WriteAsync(Enumerable.Range(0, 5).Select(i => new NaiveSeries(Labels.Of(("__name__", "build_info"), ("i", $"{i}"), ("job", "j0")), [new NaiveSample(1000, 1)])));
        return world;
    }
}
