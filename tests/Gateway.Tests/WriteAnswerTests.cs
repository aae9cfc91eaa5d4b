using System.Text.Json;
using Metrics.Gateway.Tests.Otlp;
using Metrics.Testing;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>What writers are told: by real shards, which judge each sample, and by real limits.</summary>
public sealed class WriteAnswerTests
{
    private static readonly long now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>After a sample of 1 at <c>now</c>.</summary>
    public static TheoryData<string, long, double, bool, int, string> Samples => new()
    {
        { "m", 0, 1, false, 204, "" },
        { "m", 0, 2, false, 400, "1 samples refused, 1 stored; duplicate sample for timestamp: 1, first duplicate sample for timestamp; timestamp: " },
        { "m", -60_000, 1, false, 400, "out of order sample: 1, first out of order sample; timestamp: " },
        { "m", 3_600_000, 1, false, 400, "out of bounds: timestamp is too far in the future: 1, first timestamp too far in the future; timestamp: " },
        { "m", 0, 2, true, 409, "duplicate sample for timestamp" },
        { "m", -60_000, 1, true, 409, "out of order sample" },
        { "", 0, 1, true, 400, "missing metric name" },
    };

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task ASampleThatCannotBeStoredIsNamedAndItsNeighbourIsStored(string name, long afterMs, double value, bool isThanos, int status, string says)
    {
        await using var app = await RealGateway.StartAsync((o, _) => (o.Storage.OutOfOrderWindow, o.RemoteWrite.ThanosConflicts) = (TimeSpan.Zero, isThanos));
        Assert.Equal(204, (await app.WriteAsync([], now, "__name__=m")).Code);
        var labels = name.Length == 0 ? "job=j" : $"__name__={name}";
        var answer = await app.SendAsync(HttpMethod.Post, "/api/v1/write", RealGateway.Body(WriteMessage.Of(WriteMessage.Series(labels, (now + afterMs, value)), WriteMessage.Series("__name__=neighbour", (now, 1)))));
        Assert.Equal(status, answer.Code);
        Assert.Contains(says, answer.Body);
        Assert.Contains("\"1\"]", (await app.GetAsync($"/api/v1/query?query=neighbour&time={now / 1000.0:F3}")).Body);
    }

    [Fact]
    public async Task ASampleOlderThanTheWindowIsTooOld()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Storage.OutOfOrderWindow = TimeSpan.FromMinutes(1));
        Assert.Equal(204, (await app.WriteAsync([], now, "__name__=m")).Code);
        Assert.Equal(204, (await app.WriteAsync([], now - 59_000, "__name__=m")).Code);
        var answer = await app.WriteAsync([], now - 61_000, "__name__=m");
        Assert.Equal(400, answer.Code);
        Assert.Contains("too old sample: 1, first too old sample; timestamp: ", answer.Body);
    }

    [Fact]
    public async Task SeriesThatAreTooManyAreToldToComeBackOnlyWhenNothingElseIsWrong()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Limits.MaxGlobalSeriesPerUser = 1);
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m")).Code);
        Assert.Equal(429, (await app.WriteAsync("a", "__name__=m", "__name__=n")).Code);

        // This one could be sent for ever and never be taken whole.
        var mixed = await app.WriteAsync("a", "__name__=n", "job=nameless");
        Assert.Equal(400, mixed.Code);
        Assert.Null(mixed.RetryAfter);
        Assert.Contains("max_global_series_per_user of 1", mixed.Body);
        Assert.Contains("missing metric name", mixed.Body);
    }

    [Theory]
    [InlineData("ingestion_rate")]
    [InlineData("request_rate")]
    [InlineData("max_global_series_per_user")]
    public async Task OtlpAndInfluxAreHeldToTheSameLimits(string limit)
    {
        await using var app = await RealGateway.StartAsync(
            (o, _) =>
            {
                (o.Limits.IngestionRate, o.Limits.IngestionBurstSize) = limit == "ingestion_rate" ? (1, 2) : (0, 1);
                (o.Limits.RequestRate, o.Limits.RequestBurstSize) = limit == "request_rate" ? (1, 1) : (0, 1);
                o.Limits.MaxGlobalSeriesPerUser = limit == "max_global_series_per_user" ? 1 : 0;
            },
            new ManualTime());
        using var influx = new StringContent("m v=1\nm w=1\nm x=1\n");
        if (limit == "request_rate")
        {
            Assert.Equal(204, (await app.WriteAsync("i", "__name__=m")).Code);
            Assert.Equal(204, (await app.WriteAsync("o", "__name__=m")).Code);
        }

        var lines = await app.SendAsync(HttpMethod.Post, "/api/v1/push/influx/write", influx, ("X-Scope-OrgID", "i"));
        Assert.Equal(429, lines.Code);
        Assert.NotNull(lines.RetryAfter);
        Assert.Contains(limit, JsonDocument.Parse(lines.Body).RootElement.GetProperty("error").GetString());

        using var otlp = new ByteArrayContent(OtlpTests.OneResource("", OtlpBytes.Gauge("g", "", [.. Enumerable.Range(0, 3).Select(i => OtlpBytes.Number(now, 1, OtlpBytes.Attributes($"i={i}")))])));
        otlp.Headers.ContentType = new("application/x-protobuf");
        var points = await app.SendAsync(HttpMethod.Post, OtlpWrite.Path, otlp, ("X-Scope-OrgID", "o"));
        Assert.Contains(limit, points.Body);
        if (limit == "max_global_series_per_user")
        {
            // A sender of OTLP does not repeat parts of a request: what is over is counted in partial_success.
            Assert.Equal(200, points.Code);
            return;
        }

        Assert.Equal(429, points.Code);
        Assert.NotNull(points.RetryAfter);
    }

    [Fact]
    public async Task MetadataIsHeldToItsLength()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Limits.MaxMetadataLength = 10);
        byte[] message = [.. WriteMessage.Of(WriteMessage.Series("__name__=m", (now, 1))), .. WriteMessage.Metadata(1, "m", "Longer than ten.", "s")];
        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/api/v1/write", RealGateway.Body(message))).Code);
        Assert.Contains("\"help\":\"Longer tha\"", (await app.GetAsync("/api/v1/metadata")).Body);
        message = [.. WriteMessage.Of(WriteMessage.Series("__name__=n", (now, 1))), .. WriteMessage.Metadata(1, "elevenchars", "h", "s")];
        var refused = await app.SendAsync(HttpMethod.Post, "/api/v1/write", RealGateway.Body(message));
        Assert.Equal(400, refused.Code);
        Assert.StartsWith("0 samples refused, 1 stored; metadata with a name or unit too long, limit max_metadata_length of tenant default is 10 characters: 1, first family: elevenchars", refused.Body);
        Assert.DoesNotContain("elevenchars", (await app.GetAsync("/api/v1/metadata")).Body);
    }
}
