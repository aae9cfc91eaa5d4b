using System.Collections.Concurrent;
using System.Net;
using Xunit;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Gateway.Tests.QueryApi;

/// <summary>Thanos's <c>max_source_resolution</c>: how coarse the samples may be that the engine reads. Which blocks that makes of it is <c>ResolutionChoice</c>'s.</summary>
public sealed class SourceResolutionTests
{
    private const string Range = "query_range?query=up&start=0&end=86400&step=3600";
    private const string Instant = "query?query=up&time=86400";

    [Theory]
    [InlineData(Range, "", 0)]
    [InlineData(Range, "&max_source_resolution=auto", 720_000)]
    [InlineData(Range, "&max_source_resolution=5m", 300_000)]
    [InlineData(Range, "&max_source_resolution=1h", 3_600_000)]
    [InlineData(Range, "&max_source_resolution=300", 300_000)]
    [InlineData(Range, "&max_source_resolution=0s", 0)]
    [InlineData(Instant, "", 0)]
    [InlineData(Instant, "&max_source_resolution=auto", 0)]
    [InlineData(Instant, "&max_source_resolution=1h", 3_600_000)]
    public async Task TheEngineIsToldWhatTheClientAllows(string query, string parameter, long wantMs)
    {
        var asked = new ConcurrentQueue<long>();
        await using var app = await GatewayApp.StartAsync(execute: (request, _, _) =>
        {
            asked.Enqueue(request.MaxResolutionMs);
            return ValueTask.FromResult(GatewayApp.Result(request.IsRange ? ValueType.Matrix : ValueType.Vector));
        });
        _ = app.Cluster["default"];

        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync("/api/v1/" + query + parameter)).Status);

        Assert.NotEmpty(asked);
        Assert.All(asked, ms => Assert.Equal(wantMs, ms));
    }

    [Theory]
    [InlineData(Range)]
    [InlineData(Instant)]
    public async Task WhatIsNoDurationIsRefused(string query)
    {
        await using var app = await GatewayApp.StartAsync();

        var (status, body) = await app.GetAsync("/api/v1/" + query + "&max_source_resolution=coarse");

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("max_source_resolution", body, StringComparison.Ordinal);
    }
}
