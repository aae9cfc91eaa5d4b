using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Metrics.EndToEnd.Programs;
using Metrics.Testing;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using Xunit;

namespace Metrics.EndToEnd.Otlp;

/// <summary>A program instrumented with the OpenTelemetry SDK for .NET exports to us, and queries find what it counted.</summary>
public sealed class OpenTelemetrySdkTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WhatTheSdkExportsIsFoundByQueries(bool isGrpc)
    {
        using var directory = new TemporaryDirectory();
        var grpc = $"127.0.0.1:{FreePorts.Next()}";
        using var server = await MetricsServer.StartAsync(directory.Sub("data"), "--otlp-grpc-listen", grpc);
        Export(isGrpc ? new Uri($"http://{grpc}/") : new Uri(server.Address, "api/v1/otlp/v1/metrics"), isGrpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf, "shop-tenant");

        // Exported and flushed: a moment later than the last point.
        var now = (DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0) + 1;
        Assert.Equal(7, await ValueAsync("orders_total{job=\"eu/shop\", instance=\"i-1\", order_kind=\"online\"}"));
        Assert.Equal(3, await ValueAsync("orders_total{order_kind=\"phone\"}"));
        Assert.Equal(21.5, await ValueAsync("room_temperature_celsius"));
        Assert.Equal(-2, await ValueAsync("queue_length"));
        Assert.Equal(4, await ValueAsync("latency_seconds_count"));
        Assert.Equal(0.05 + 0.2 + 0.2 + 7, await ValueAsync("latency_seconds_sum"), 9);
        Assert.Equal(1, await ValueAsync("latency_seconds_bucket{le=\"0.1\"}"));
        Assert.Equal(3, await ValueAsync("latency_seconds_bucket{le=\"1\"}"));
        Assert.Equal(4, await ValueAsync("latency_seconds_bucket{le=\"+Inf\"}"));
        Assert.Equal(1000, await ValueAsync("histogram_count(payload_bytes)"));
        Assert.Equal(500_500, await ValueAsync("histogram_sum(payload_bytes)"));
        Assert.InRange(await ValueAsync("histogram_quantile(0.5, payload_bytes)"), 490, 510);
        Assert.Equal(7, await ValueAsync("orders_total{order_kind=\"online\"} * on (job, instance) group_left (deployment_environment) target_info{deployment_environment=\"test\"}"));

        var metadata = (await server.GetAsync("api/v1/metadata", "shop-tenant")).GetProperty("data");
        Assert.Equal(("counter", "Orders taken."), Metadata("orders_total"));
        Assert.Equal(("histogram", "Time to answer."), Metadata("latency_seconds"));
        Assert.Equal(("histogram", ""), Metadata("payload_bytes"));

        var exemplars = await server.GetAsync("api/v1/query_exemplars?query=latency_seconds_bucket", "shop-tenant");
        Assert.Contains(exemplars.GetProperty("data").EnumerateArray(), s => s.GetProperty("exemplars").EnumerateArray().Any(e => e.GetProperty("labels").GetProperty("trace_id").GetString()!.Length == 32));

        (string?, string?) Metadata(string family)
        {
            var entry = Assert.Single(metadata.GetProperty(family).EnumerateArray());
            return (entry.GetProperty("type").GetString(), entry.GetProperty("help").GetString());
        }

        async Task<double> ValueAsync(string query)
        {
            var answer = await server.GetAsync($"api/v1/query?query={Uri.EscapeDataString(query)}&time={now:F3}", "shop-tenant");
            var result = answer.GetProperty("data").GetProperty("result");
            Assert.True(result.GetArrayLength() == 1, $"{query}: {JsonSerializer.Serialize(result)}");
            return double.Parse(result[0].GetProperty("value")[1].GetString()!);
        }
    }

    private static void Export(Uri endpoint, OtlpExportProtocol protocol, string tenant)
    {
        using var meter = new Meter("Shop", "1.0");
        using var provider = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(ResourceBuilder.CreateEmpty().AddService("shop", "eu", autoGenerateServiceInstanceId: false, serviceInstanceId: "i-1")
                .AddAttributes([new KeyValuePair<string, object>("deployment.environment", "test")]))
            .AddMeter("Shop")
            .SetExemplarFilter(ExemplarFilterType.AlwaysOn)
            .AddView("latency", new ExplicitBucketHistogramConfiguration { Boundaries = [0.1, 1] })
            .AddView("payload", new Base2ExponentialBucketHistogramConfiguration())
            .AddOtlpExporter((exporter, reader) =>
            {
                exporter.Endpoint = endpoint;
                exporter.Protocol = protocol;
                exporter.Headers = $"X-Scope-OrgID={tenant}";
                reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = int.MaxValue;
            })
            .Build();

        var orders = meter.CreateCounter<long>("orders", description: "Orders taken.");
        orders.Add(5, new KeyValuePair<string, object?>("order.kind", "online"));
        orders.Add(2, new KeyValuePair<string, object?>("order.kind", "online"));
        orders.Add(3, new KeyValuePair<string, object?>("order.kind", "phone"));
        meter.CreateGauge<double>("room.temperature", "Cel").Record(21.5);
        meter.CreateUpDownCounter<int>("queue.length").Add(-2);
        var latency = meter.CreateHistogram<double>("latency", "s", "Time to answer.");
        using (new Activity("request").Start())
        {
            foreach (var seconds in new[] { 0.05, 0.2, 0.2, 7 })
            {
                latency.Record(seconds);
            }
        }

        var payload = meter.CreateHistogram<long>("payload", "By");
        for (var bytes = 1; bytes <= 1000; bytes++)
        {
            payload.Record(bytes);
        }

        Assert.True(provider.ForceFlush(30_000), "the SDK could not export");
    }
}
