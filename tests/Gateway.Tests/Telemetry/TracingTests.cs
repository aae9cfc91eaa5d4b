using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Telemetry;
using Metrics.Gateway.Tests.FrontEnd;
using Metrics.Model;
using Metrics.PromQL.Tests.Reference;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;

namespace Metrics.Gateway.Tests.Telemetry;

/// <summary>Spans from the request down to the blocks, and their way out. One collection: listeners hear every server of the process.</summary>
[Collection("tracing")]
public sealed class TracingTests
{
    [Fact]
    public async Task ARequestsSpansReachTheBlocksAndBelongToTheClientsTrace()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = static s => s.Name is "Microsoft.AspNetCore" or "Metrics.Gateway" or "Metrics.Cluster",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var world = new StoredSeries();
        await world.WriteAsync([new NaiveSeries(Labels.Of(("__name__", "up")), [new NaiveSample(1000, 1)])]);
        using var client = await world.ServeAsync(static _ => { });
        using var flushed = await client.PostAsync("/ingester/flush?wait=true", null);
        var trace = ActivityTraceId.CreateRandom();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/query?query=up&time=2");
        request.Headers.Add("traceparent", $"00-{trace}-0123456789abcdef-01");
        using var response = await client.SendAsync(request);

        // The server ends its span after the answer has gone out.
        SpinWait.SpinUntil(() => spans.Any(s => s.TraceId == trace && s.Source.Name == "Microsoft.AspNetCore"), TimeSpan.FromSeconds(30));
        var mine = spans.Where(s => s.TraceId == trace).ToDictionary(s => s.SpanId);
        var block = Assert.Single(mine.Values, s => s.OperationName == "block.select");
        var path = new List<string>();
        for (var at = block; at is not null; at = mine.GetValueOrDefault(at.ParentSpanId))
        {
            path.Add(at.DisplayName);
        }

        Assert.Equal(["block.select", "shard.query", "query", "GET /api/v1/query"], path);
        var server = mine.Values.Single(s => s.Source.Name == "Microsoft.AspNetCore");
        Assert.Equal("0123456789abcdef", server.ParentSpanId.ToString());
        Assert.Equal(("default", "/api/v1/query", 200), (server.GetTagItem("tenant"), server.GetTagItem("http.route"), server.GetTagItem("http.response.status_code")));
        Assert.Equal("default", mine.Values.First(s => s.OperationName == "shard.query").GetTagItem("tenant"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SpansGoOutByOtlp(bool isGrpc)
    {
        var bodies = new ConcurrentQueue<byte[]>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = isGrpc ? HttpProtocols.Http2 : HttpProtocols.Http1));
        await using var collector = builder.Build();
        collector.MapPost(isGrpc ? "/opentelemetry.proto.collector.trace.v1.TraceService/Export" : "/v1/traces", async (HttpContext context) =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            bodies.Enqueue(body.ToArray());
            if (isGrpc)
            {
                context.Response.ContentType = "application/grpc";
                await context.Response.Body.WriteAsync(new byte[5]);
                context.Response.AppendTrailer("grpc-status", "0");
            }
        });
        await collector.StartAsync();
        var trace = ActivityTraceId.CreateRandom();
        await using (var world = new StoredSeries())
        {
            await world.WriteAsync([new NaiveSeries(Labels.Of(("__name__", "up")), [new NaiveSample(1000, 1)])]);
            using var traces = Tracing.Start(new TelemetryOptions { TracesEndpoint = collector.Urls.First(), TracesProtocol = isGrpc ? TraceProtocol.Grpc : TraceProtocol.Http, TracesOneIn = 1_000_000 });
            Assert.NotNull(traces);
            using var client = await world.ServeAsync(static _ => { });
            using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/query?query=up&time=2");
            request.Headers.Add("traceparent", $"00-{trace}-0123456789abcdef-01");
            using var response = await client.SendAsync(request);
        }

        var sent = bodies.SelectMany(static b => b).ToArray();
        Assert.True(sent.AsSpan().IndexOf("shard.query"u8) >= 0);
        Assert.True(sent.AsSpan().IndexOf(Convert.FromHexString(trace.ToString())) >= 0);
        Assert.True(sent.AsSpan().IndexOf(Encoding.UTF8.GetBytes("service.name")) >= 0);
    }

    [Fact]
    public void WithoutAPlaceToSendThemThereAreNone() => Assert.Null(Tracing.Start(new TelemetryOptions()));
}
