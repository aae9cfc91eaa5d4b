using System.Net;
using System.Text.Json;
using Metrics.Gateway.Cli;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>Splits and merges asked for over HTTP, while a client writes and asks.</summary>
public sealed class ReshardingEndpointTests
{
    private static readonly string[] series = [.. Enumerable.Range(0, 40).Select(i => $"__name__=m,i={i}")];

    [Fact]
    public async Task ATenantIsSplitAndMergedWhileItIsWrittenAndQueriedAndNoRequestFails()
    {
        await using var app = await StartAsync(isAdmin: true);
        Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync("team-a", series)).Status);
        using var done = new CancellationTokenSource();
        var working = Task.Run(async () =>
        {
            var rounds = 0;
            for (; !done.IsCancellationRequested || rounds == 0; rounds++)
            {
                Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync("team-a", series)).Status);
                foreach (var path in new[] { "/api/v1/query?query=count(m)", "/api/v1/series?match[]=m", "/api/v1/label/i/values", "/api/v1/status/tsdb", "/federate?match[]=m" })
                {
                    var (status, body) = await app.GetAsync(path, ("X-Scope-OrgID", "team-a")) is var a ? (a.Status, a.Body) : default;
                    Assert.True(status == HttpStatusCode.OK, $"{path}: {status} {body}");
                }

                Assert.Equal("40", await CountAsync(app));
            }

            return rounds;
        });

        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(app, "split", "all"));
        using var said = new StringWriter();
        Assert.Equal(0, await CommandLine.RunAsync(["cluster", "split", "team-a/0b1", "--url", app.Address.ToString()], LocalCluster.OpenAsync, said, said, default));
        Assert.Equal("team-a/0b1 was split in two", said.ToString().Trim());
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync(app, "merge", "0b10"));
        await done.CancelAsync();
        Assert.True(await working > 0);

        Assert.Equal(["0b0", "0b1"], (await app.Cluster.FindTenantAsync(Model.TenantId.Parse("team-a"), default))!.Shards.Select(s => s.Id.Range.ToString()));
        Assert.Equal(HttpStatusCode.NoContent, (await app.SendAsync(HttpMethod.Post, "/api/v1/admin/tsdb/delete_series?match[]=m", null, ("X-Scope-OrgID", "team-a"))).Status);
        Assert.Equal("", await CountAsync(app));
        var metrics = (await app.GetAsync("/metrics")).Body;
        Assert.Contains("metrics_shard_splits_total 2", metrics);
        Assert.Contains("metrics_shard_merges_total 1", metrics);
        Assert.Contains("metrics_shard_change_failures_total 0", metrics);
    }

    [Fact]
    public async Task WhatCannotBeSplitIsRefused()
    {
        await using var app = await StartAsync(isAdmin: true);
        await app.WriteAsync("team-a", series);
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(app, "split", "0b0"));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(app, "split", "nonsense"));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(app, "merge", "all"));
        using var status = JsonDocument.Parse((await app.GetAsync("/api/v1/status/cluster?tenants=all")).Body);
        Assert.Equal(0, status.RootElement.GetProperty("data").GetProperty("changes").GetArrayLength());
        await using var closed = await StartAsync(isAdmin: false);
        await closed.WriteAsync("team-a", series);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await PostAsync(closed, "split", "all"));
    }

    private static Task<RealGateway> StartAsync(bool isAdmin) => RealGateway.StartAsync((options, _) =>
    {
        options.Storage.ShardsPerTenant = 1;
        options.Http.AdminApi = isAdmin;
    });

    private static async Task<HttpStatusCode> PostAsync(RealGateway app, string what, string range) => (await app.SendAsync(HttpMethod.Post, $"/api/v1/admin/cluster/{what}?tenant=team-a&range={range}", null)).Status;

    private static async Task<string> CountAsync(RealGateway app)
    {
        using var answer = JsonDocument.Parse((await app.GetAsync("/api/v1/query?query=count(m)", ("X-Scope-OrgID", "team-a"))).Body);
        var result = answer.RootElement.GetProperty("data").GetProperty("result");
        return result.GetArrayLength() == 0 ? "" : result[0].GetProperty("value")[1].GetString()!;
    }
}
