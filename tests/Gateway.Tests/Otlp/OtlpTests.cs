using System.Net;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Otlp;
using Metrics.Model;
using Metrics.Testing;
using Xunit;

namespace Metrics.Gateway.Tests.Otlp;

/// <summary>OTLP over HTTP: series, names, target_info, histograms, what is refused, and the answers.</summary>
public class OtlpTests
{
    private const double StaleShown = double.NaN;

    [Fact]
    public async Task GaugesSumsAndSummariesBecomeSeries()
    {
        await using var app = await GatewayApp.StartAsync();
        var request = OneResource(
            "",
            OtlpBytes.Gauge("room.temperature", "Cel", OtlpBytes.Number(1000, 21.5, OtlpBytes.Attributes("room=kitchen")), OtlpBytes.Integer(2000, -7, OtlpBytes.Attributes("room=hall"))),
            OtlpBytes.Sum("requests", "1", 2, true, OtlpBytes.Number(1000, 5, OtlpBytes.Attributes("http.method=GET"))),
            OtlpBytes.Sum("queue", "", 2, false, OtlpBytes.Number(1000, -5, [])),
            OtlpBytes.Summary("rpc", "ms", OtlpBytes.SummaryPoint(1000, 3, 6.5, [(0.5, 2), (0.99, 4)], OtlpBytes.Attributes("a=b"))));
        var (status, body, type) = await OtlpWrite.SendAsync(app, request);
        Assert.Equal((HttpStatusCode.OK, 0, "application/x-protobuf"), (status, body.Length, type));
        Assert.Equal(
            [
                "queue 1000 -5",
                "requests_total{http_method=\"GET\"} 1000 5",
                "room_temperature_celsius{room=\"hall\"} 2000 -7",
                "room_temperature_celsius{room=\"kitchen\"} 1000 21.5",
                "rpc_milliseconds_count{a=\"b\"} 1000 3",
                "rpc_milliseconds_sum{a=\"b\"} 1000 6.5",
                "rpc_milliseconds{a=\"b\", quantile=\"0.5\"} 1000 2",
                "rpc_milliseconds{a=\"b\", quantile=\"0.99\"} 1000 4",
            ],
            app.Cluster["default"].Samples.Order(StringComparer.Ordinal));
        var metadata = app.Cluster["default"].Metadata;
        Assert.Equal([new MetricMetadata("counter", "About requests", "")], metadata.Get("requests_total", 0, 0)["requests_total"]);
        Assert.Equal([new MetricMetadata("gauge", "About room.temperature", "celsius")], metadata.Get("room_temperature_celsius", 0, 0)["room_temperature_celsius"]);
        Assert.Equal("gauge", metadata.Get("queue", 0, 0)["queue"][0].Type);
        Assert.Equal("summary", metadata.Get("rpc_milliseconds", 0, 0)["rpc_milliseconds"][0].Type);
    }

    [Theory]
    [InlineData("/api/v1/otlp/v1/metrics")]
    [InlineData("/otlp/v1/metrics")]
    [InlineData("/api/v1/otlp")]
    [InlineData("/opentelemetry/v1/metrics")]
    public async Task EveryRouteTakesIt(string path)
    {
        await using var app = await GatewayApp.StartAsync();
        Assert.Equal(HttpStatusCode.OK, (await OtlpWrite.SendAsync(app, OneGauge, path: path)).Status);
        Assert.Equal(["g 1000 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task GzipMayHaveSeveralMembersAndMayNotBeCutOff()
    {
        await using var app = await GatewayApp.StartAsync();
        byte[] packed = [.. OtlpWrite.Gzip(OneGauge[..10]), .. OtlpWrite.Gzip([]), .. OtlpWrite.Gzip(OneGauge[10..15]), .. OtlpWrite.Gzip(OneGauge[15..])];
        for (var length = packed.Length - 1; length > packed.Length - 30; length--)
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await OtlpWrite.SendAsync(app, packed[..length], encoding: "gzip")).Status);
        }

        Assert.Equal(HttpStatusCode.OK, (await OtlpWrite.SendAsync(app, packed, encoding: "gzip")).Status);
        Assert.Equal(["g 1000 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task JsonAndGzipAreTaken()
    {
        await using var app = await GatewayApp.StartAsync();
        const string Json = """{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"j","gauge":{"dataPoints":[{"timeUnixNano":"1000000000","asInt":"3"}]}}]}]}]}""";
        Assert.Equal((HttpStatusCode.OK, "{}", "application/json"), await OtlpWrite.SendJsonAsync(app, Json));
        Assert.Equal(HttpStatusCode.OK, (await OtlpWrite.SendAsync(app, OtlpWrite.Gzip(OneGauge), encoding: "gzip")).Status);
        Assert.Equal(HttpStatusCode.OK, (await OtlpWrite.SendAsync(app, OtlpWrite.Gzip(Encoding.UTF8.GetBytes(Json.Replace("\"j\"", "\"k\"", StringComparison.Ordinal))), "application/json; charset=utf-8".Split(';')[0], "gzip")).Status);
        Assert.Equal(["g 1000 1", "j 1000 3", "k 1000 3"], app.Cluster["default"].Samples);
        Assert.Contains("metrics_write_inflight_bytes 0\n", (await app.GetAsync("/metrics")).Body);
    }

    [Fact]
    public async Task TheResourceGivesJobInstanceAndTargetInfo()
    {
        await using var app = await GatewayApp.StartAsync();
        var request = OneResource(
            "service.namespace=eu,service.name=shop,service.instance.id=i1,host.name=h1",
            OtlpBytes.Gauge("g", "", OtlpBytes.Number(0, 1, OtlpBytes.Attributes("job=mine,x=y")), OtlpBytes.Number(400_000, 2, [])));
        Assert.Equal(HttpStatusCode.OK, (await OtlpWrite.SendAsync(app, request)).Status);
        Assert.Equal(
            [
                "g{instance=\"i1\", job=\"eu/shop\", x=\"y\"} 0 1",
                "g{instance=\"i1\", job=\"eu/shop\"} 400000 2",
                "target_info{host_name=\"h1\", instance=\"i1\", job=\"eu/shop\"} 0 1",
                "target_info{host_name=\"h1\", instance=\"i1\", job=\"eu/shop\"} 150000 1",
                "target_info{host_name=\"h1\", instance=\"i1\", job=\"eu/shop\"} 300000 1",
                "target_info{host_name=\"h1\", instance=\"i1\", job=\"eu/shop\"} 400000 1",
            ],
            app.Cluster["default"].Samples);
    }

    [Theory]
    [InlineData("host.name=h1", 0)]
    [InlineData("service.name=a,service.instance.id=b", 0)]
    [InlineData("service.namespace=a,host.name=h1", 0)]
    [InlineData("service.instance.id=a,host.name=h1", 1)]
    public async Task TargetInfoNeedsAnIdentityAndSomethingToSay(string attributes, int want)
    {
        await using var app = await GatewayApp.StartAsync();
        await OtlpWrite.SendAsync(app, OneResource(attributes, OtlpBytes.Gauge("g", "", OtlpBytes.Number(1000, 1, []))));
        Assert.Equal(want, app.Cluster["default"].Samples.Count(s => s.StartsWith("target_info", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task APointAtTimeZeroDoesNotMakeTargetInfoEndless()
    {
        await using var app = await GatewayApp.StartAsync();
        await OtlpWrite.SendAsync(app, OneResource("service.name=a,x=y", OtlpBytes.Gauge("g", "", OtlpBytes.Number(0, 1, []), OtlpBytes.Number(1_800_000_000_000, 1, []))));
        var infos = app.Cluster["default"].Samples.Where(s => s.StartsWith("target_info", StringComparison.Ordinal)).ToList();
        Assert.Equal(1001, infos.Count);
        Assert.Contains("target_info{job=\"a\", x=\"y\"} 1800000000000 1", infos);
    }

    public static TheoryData<string, string[]> Settings => new()
    {
        { "promote", ["g{host_name=\"h\", job=\"s\", x=\"own\"} 1000 1", "target_info{host_name=\"h\", job=\"s\", x=\"r\"} 1000 1"] },
        { "promote all", ["g{host_name=\"h\", job=\"s\", service_name=\"s\", x=\"own\"} 1000 1", "target_info{host_name=\"h\", job=\"s\", x=\"r\"} 1000 1"] },
        { "promote all but", ["g{job=\"s\", service_name=\"s\", x=\"own\"} 1000 1", "target_info{host_name=\"h\", job=\"s\", x=\"r\"} 1000 1"] },
        { "keep", ["g{job=\"s\", x=\"own\"} 1000 1", "target_info{host_name=\"h\", job=\"s\", service_name=\"s\", x=\"r\"} 1000 1"] },
        {
            "scope",
            ["g{job=\"s\", otel_scope_k_1=\"v\", otel_scope_name=\"lib\", otel_scope_schema_url=\"u\", otel_scope_version=\"1\", x=\"own\"} 1000 1", "target_info{host_name=\"h\", job=\"s\", x=\"r\"} 1000 1"]
        },
        { "no translation", ["target_info{\"host.name\"=\"h\", job=\"s\", x=\"r\"} 1000 1", "g{job=\"s\", x=\"own\"} 1000 1"] },
        { "types", ["g{__type__=\"gauge\", __unit__=\"seconds\", job=\"s\", x=\"own\"} 1000 1", "target_info{host_name=\"h\", job=\"s\", x=\"r\"} 1000 1"] },
    };

    [Theory]
    [MemberData(nameof(Settings))]
    public async Task SettingsChooseLabels(string setting, string[] want)
    {
        await using var app = await GatewayApp.StartAsync(options =>
        {
            options.Otlp.TranslationStrategy = setting == "no translation" ? "NoTranslation" : "UnderscoreEscapingWithoutSuffixes";
            options.Otlp.PromoteResourceAttributes = setting == "promote" ? ["host.name", "x", "absent"] : [];
            options.Otlp.PromoteAllResourceAttributes = setting.StartsWith("promote all", StringComparison.Ordinal);
            options.Otlp.IgnoreResourceAttributes = setting == "promote all but" ? ["host.name"] : [];
            options.Otlp.KeepIdentifyingResourceAttributes = setting == "keep";
            options.Otlp.PromoteScopeMetadata = setting == "scope";
            options.Query.EnableFeatures = setting == "types" ? ["type-and-unit-labels"] : [];
        });
        var request = OtlpBytes.Request(OtlpBytes.Resource(
            OtlpBytes.Attributes("service.name=s,host.name=h,x=r"),
            OtlpBytes.Scope("lib", "1", "u", OtlpBytes.Attributes("k.1=v"), OtlpBytes.Gauge("g", "s", OtlpBytes.Number(1000, 1, OtlpBytes.Attributes("x=own"))))));
        Assert.Equal(HttpStatusCode.OK, (await OtlpWrite.SendAsync(app, request)).Status);
        Assert.Equal(want.Order(StringComparer.Ordinal), app.Cluster["default"].Samples.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task AttributesOfOneNameAreJoinedInTheOrderOfTheirKeys()
    {
        await using var app = await GatewayApp.StartAsync();
        await OtlpWrite.SendAsync(app, OneResource("", OtlpBytes.Gauge("g", "", OtlpBytes.Number(1000, 1, [.. OtlpBytes.Attributes("a_b=2,a.b=1,a/b=3,z=1,A=0,__name__=evil"), OtlpBytes.Attribute("empty", [])]))));
        Assert.Equal(["g{A=\"0\", a_b=\"1;3;2\", z=\"1\"} 1000 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task AHistogramBecomesClassicSeries()
    {
        await using var app = await GatewayApp.StartAsync();
        var request = OneResource(
            "",
            OtlpBytes.Histogram("latency", "s", 2, OtlpBytes.HistogramPoint(1000, 6, 4.5, [1, 2, 3], [0.1, 1], OtlpBytes.Attributes("le=x,p=/")), OtlpBytes.HistogramPoint(2000, 6, null, [], [], [])));
        Assert.Empty((await OtlpWrite.SendAsync(app, request)).Body);
        Assert.Equal(
            [
                "latency_seconds_bucket{le=\"+Inf\", p=\"/\"} 1000 6",
                "latency_seconds_bucket{le=\"+Inf\"} 2000 6",
                "latency_seconds_bucket{le=\"0.1\", p=\"/\"} 1000 1",
                "latency_seconds_bucket{le=\"1\", p=\"/\"} 1000 3",
                "latency_seconds_count 2000 6",
                "latency_seconds_count{le=\"x\", p=\"/\"} 1000 6",
                "latency_seconds_sum{le=\"x\", p=\"/\"} 1000 4.5",
            ],
            app.Cluster["default"].Samples);
        Assert.Equal("histogram", app.Cluster["default"].Metadata.Get("latency_seconds", 0, 0)["latency_seconds"][0].Type);
    }

    [Fact]
    public async Task AHistogramBecomesANativeOneWithCustomBounds()
    {
        await using var app = await GatewayApp.StartAsync(options => options.Otlp.ConvertHistogramsToNhcb = true);
        var request = OneResource("", OtlpBytes.Histogram("latency", "s", 2, OtlpBytes.HistogramPoint(1000, 6, 4.5, [0, 2, 4], [0.1, 1], []), OtlpBytes.HistogramPoint(2000, 6, 1, [], [], [])));
        Assert.Empty((await OtlpWrite.SendAsync(app, request)).Body);
        Assert.Equal(["latency_seconds 1000 {count:6, sum:4.5, (0.1,1]:2, (1,+Inf]:4}", "latency_seconds 2000 {count:6, sum:1, [-Inf,+Inf]:6}"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task AnExponentialHistogramBecomesANativeOne()
    {
        await using var app = await GatewayApp.StartAsync();
        var request = OneResource(
            "",
            OtlpBytes.Exponential(
                "size", "By", 2,
                OtlpBytes.ExponentialPoint(1000, 9, 12.5, 0, 2, (0, [1, 2]), (1, [4]), []),
                OtlpBytes.ExponentialPoint(2000, 6, 1, 9, 0, (-1, [1, 2, 3]), (0, []), OtlpBytes.Attributes("merged=yes"), 0, 0.5),
                OtlpBytes.ExponentialPoint(3000, 3, 1, 0, 0, (-3, [1, 0, 0, 0, 0, 2]), (0, []), OtlpBytes.Attributes("gap=yes"))));
        Assert.Empty((await OtlpWrite.SendAsync(app, request)).Body);
        var samples = app.Cluster["default"].Samples;
        Assert.Equal("size_bytes 1000 {count:9, sum:12.5, [-4,-2):4, [-1e-128,1e-128]:2, (1,2]:1, (2,4]:2}", samples[0]);
        Assert.Equal("size_bytes{gap=\"yes\"} 3000 {count:3, sum:1, (0.125,0.25]:1, (4,8]:2}", samples[1]);
        Assert.Equal($"size_bytes{{merged=\"yes\"}} 2000 {{count:6, sum:1, (0.9972960560854698,1]:1, (1,{Math.Pow(2, 1.0 / 256)}]:5}}", samples[2]);
    }

    [Fact]
    public async Task NoRecordedValueIsAStaleMarker()
    {
        await using var app = await GatewayApp.StartAsync();
        var request = OneResource(
            "",
            OtlpBytes.Gauge("g", "", OtlpBytes.Number(1000, 1, [], 1)),
            OtlpBytes.Histogram("h", "", 2, OtlpBytes.HistogramPoint(1000, 0, 0, [0, 0], [1], [], 1)),
            OtlpBytes.Exponential("e", "", 2, OtlpBytes.ExponentialPoint(1000, 0, 0, 0, 0, (0, []), (0, []), [], 1)));
        Assert.Empty((await OtlpWrite.SendAsync(app, request)).Body);
        Assert.All(app.Cluster["default"].Samples.Where(s => s[0] != 'e'), s => Assert.EndsWith($" 1000 {StaleShown}", s, StringComparison.Ordinal));
        Assert.Contains("e 1000 {count:0, sum:NaN}", app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task WhatIsRefusedIsCountedAndItsNeighboursAreStored()
    {
        await using var app = await GatewayApp.StartAsync();
        var request = OneResource(
            "",
            OtlpBytes.Sum("delta", "", 1, true, OtlpBytes.Number(1000, 1, []), OtlpBytes.Number(2000, 1, [])),
            OtlpBytes.Sum("unsaid", "", 0, true, OtlpBytes.Number(1000, 1, [])),
            OtlpBytes.Gauge("...", "", OtlpBytes.Number(1000, 1, [])),
            OtlpBytes.Gauge("g", "", OtlpBytes.Number(1000, 1, OtlpBytes.Attributes("__=v")), OtlpBytes.Number(2000, 2, [])),
            OtlpBytes.Histogram("h", "", 2, OtlpBytes.HistogramPoint(1000, 3, 1, [1, 2], [1, 2], [])),
            OtlpBytes.Exponential("e", "", 2, OtlpBytes.ExponentialPoint(1000, 3, 1, -5, 0, (0, [3]), (0, []), []), OtlpBytes.ExponentialPoint(1000, 4, 1, 0, 0, (0, [3]), (0, []), [])));
        var (status, body, _) = await OtlpWrite.SendAsync(app, request);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(["g 2000 2"], app.Cluster["default"].Samples);

        // partial_success { rejected_data_points: 8; error_message }
        Assert.Equal([0x08, 0x08, 0x12], body.AsSpan(body.AsSpan().IndexOf<byte>(0x08), 3).ToArray());
        var text = Encoding.UTF8.GetString(body);
        Assert.Contains("invalid temporality: 3, first metric 'delta' is delta, and otlp.delta is reject", text, StringComparison.Ordinal);
        Assert.Contains("invalid name: 2, first metric '...'", text, StringComparison.Ordinal);
        Assert.Contains("invalid native histogram: 3", text, StringComparison.Ordinal);
        Assert.Contains("metrics_write_rejected_samples_total{tenant=\"default\",reason=\"invalid_temporality\"} 3\n", (await app.GetAsync("/metrics")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RefusalsOfTheStorageAreAPartialSuccess()
    {
        await using var app = await GatewayApp.StartAsync();
        app.Cluster.Rejections = [new Rejection(RejectReason.OutOfOrder, 5, "series x")];
        const string Json = """{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"j","gauge":{"dataPoints":[{"timeUnixNano":"1000000000","asInt":"3"}]}}]}]}]}""";
        var (status, body, _) = await OtlpWrite.SendJsonAsync(app, Json);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.StartsWith("""{"partialSuccess":{"rejectedDataPoints":"1","errorMessage":"5 samples refused""", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DeltaIsStoredWhenAskedFor()
    {
        await using var app = await GatewayApp.StartAsync(options => options.Otlp.Delta = OtlpDelta.Store);
        Assert.Empty((await OtlpWrite.SendAsync(app, OneResource("", OtlpBytes.Sum("d", "", 1, true, OtlpBytes.Number(1000, 1, []))))).Body);
        Assert.Equal(["d_total 1000 1"], app.Cluster["default"].Samples);
        Assert.Equal("unknown", app.Cluster["default"].Metadata.Get("d_total", 0, 0)["d_total"][0].Type);
    }

    [Fact]
    public async Task AShardThatIsAwayIs503WithRetryAfterInTheFormatOfTheRequest()
    {
        await using var app = await GatewayApp.StartAsync();
        app.Cluster.AppendFailure = new ShardUnavailableException(app.Cluster["default"].Shards[0].Id, "testing");
        using var content = new StringContent("""{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"j","gauge":{"dataPoints":[{"asInt":"3"}]}}]}]}]}""", Encoding.UTF8, "application/json");
        using var response = await app.AskAsync(HttpMethod.Post, OtlpWrite.Path, content);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("5", response.Headers.GetValues("Retry-After").Single());
        Assert.StartsWith("""{"code":14,"message":"shard """, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/x-protobuf", "br", 415)]
    [InlineData("text/plain", "", 415)]
    [InlineData("application/json", "", 400)]
    [InlineData("application/x-protobuf", "", 400)]
    [InlineData("application/x-protobuf", "gzip", 400)]
    public async Task WhatIsNoRequestIsRefused(string type, string encoding, int want)
    {
        await using var app = await GatewayApp.StartAsync();
        var (status, _, answered) = await OtlpWrite.SendAsync(app, [0x0F, 0xFF], type, encoding);
        Assert.Equal((want, type == "application/json" ? type : "application/x-protobuf"), ((int)status, answered));
        Assert.Empty(app.Cluster.Tenants.SelectMany(t => ((FakeTenant)t).Samples));
    }

    [Theory]
    [InlineData("Otlp")]
    [InlineData("underscore_escaping_with_suffixes")]
    public void AnUnknownStrategyIsRefusedAtStart(string strategy)
    {
        var options = new GatewayOptions();
        options.Otlp.TranslationStrategy = strategy;
        Assert.Contains("otlp.translation_strategy", Assert.Throws<ConfigurationException>(() => OptionsValidator.Validate(options)).Message, StringComparison.Ordinal);
    }

    internal static byte[] OneGauge { get; } = OneResource("", OtlpBytes.Gauge("g", "", OtlpBytes.Number(1000, 1, [])));

    internal static byte[] OneResource(string attributes, params byte[][] metrics) => OtlpBytes.Request(OtlpBytes.Resource(OtlpBytes.Attributes(attributes), OtlpBytes.Scope("lib", metrics)));
}
