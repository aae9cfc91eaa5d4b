using System.Net;
using Metrics.Cluster;
using Metrics.Gateway.Cli;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Limits;
using Metrics.Gateway.RemoteWrite;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests;

public class IngestLimitsTests
{
    private static readonly string[] hundred = [.. Enumerable.Range(0, 100).Select(i => $"__name__=m,i={i}")];

    [Fact]
    public async Task AWriteAboveTheRateIsRefusedWholeAndTakenWhenItsTimeHasCome()
    {
        var time = new ManualTime();
        await using var app = await RealGateway.StartAsync((o, _) => (o.Limits.IngestionRate, o.Limits.IngestionBurstSize) = (10, 150), time);
        Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync("a", hundred)).Status);
        var refused = await app.WriteAsync("a", [.. hundred.Select(s => s + ",other=1")]);
        Assert.Equal(429, refused.Code);
        Assert.Equal(TimeSpan.FromSeconds(5), refused.RetryAfter);
        Assert.Equal("write request with 100 samples refused: tenant a exceeds its limit ingestion_rate of 10 samples/s with a burst of 150 (err-mimir-tenant-max-ingestion-rate)\n", refused.Body);
        Assert.Equal(100, await SeriesAsync(app, "a"));
        var counted = (await app.GetAsync("/metrics")).Body;
        Assert.Contains("metrics_write_rejected_samples_total{tenant=\"a\",reason=\"ingestion_rate\"} 100\n", counted);
        Assert.Contains("metrics_write_refused_requests_total{tenant=\"a\",limit=\"ingestion_rate\"} 1\n", counted);
        Assert.Contains("\"refusedSamples\":100,", (await app.GetAsync("/api/v1/user_stats", ("X-Scope-OrgID", "a"))).Body);
        Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync("b", hundred)).Status);
        time.Move(TimeSpan.FromSeconds(5));
        Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync("a", [.. hundred.Select(s => s + ",other=1")])).Status);
        Assert.Equal(200, await SeriesAsync(app, "a"));
    }

    [Fact]
    public void AGatewayLetsThroughItsShareOfTheRateAndTheWholeBurst()
    {
        var time = new ManualTime();
        var gateways = 4;
        var tenant = TenantId.Parse("a");
        var limits = new IngestLimits(new LimitsTable(new GatewayOptions { Limits = { IngestionRate = 40, IngestionBurstSize = 100 } }), time, (_, _) => 1.0 / gateways);
        limits.AdmitSamples(tenant, 100, 1, 0);
        Assert.Equal(TimeSpan.FromSeconds(1), Assert.Throws<WriteRefusal>(() => limits.AdmitSamples(tenant, 10, 1, 0)).RetryAfter);
        time.Move(TimeSpan.FromSeconds(1));
        limits.AdmitSamples(tenant, 10, 1, 0);
        Assert.Throws<WriteRefusal>(() => limits.AdmitSamples(tenant, 1, 1, 0));

        // Three of them left: what comes from now on is this one's.
        gateways = 1;
        time.Move(TimeSpan.FromSeconds(1));
        limits.AdmitSamples(tenant, 40, 1, 0);
        Assert.Throws<WriteRefusal>(() => limits.AdmitSamples(tenant, 1, 1, 0));
    }

    [Theory]
    [InlineData(100, 0, 0)]
    [InlineData(50, 50, 50)]
    [InlineData(90, 9, 1)]
    [InlineData(200, 30, 0)]
    public void GatewaysLetThroughTheWholeRateHoweverUnevenlyItComes(int first, int second, int third)
    {
        const int Rate = 60;
        const int Seconds = 300;
        var time = new ManualTime();
        var tenant = TenantId.Parse("a");
        int[] offered = [first, second, third];
        var demands = new double[3];
        var gateways = Enumerable.Range(0, 3).Select(g => new IngestLimits(
            new LimitsTable(new GatewayOptions { Limits = { IngestionRate = Rate, IngestionBurstSize = 20 } }), time, (_, demand) => RateShare.Of(demands[g] = demand, demands.Sum() - demand, 3))).ToArray();
        var taken = new int[3];
        for (var tenth = 0; tenth < Seconds * 10; tenth++)
        {
            time.Move(TimeSpan.FromMilliseconds(100));
            for (var g = 0; g < 3; g++)
            {
                for (var i = (tenth * offered[g] / 10) + 1; i <= (tenth + 1) * offered[g] / 10; i++)
                {
                    taken[g] += Record.Exception(() => gateways[g].AdmitSamples(tenant, 1, 1, 0)) is null ? 1 : 0;
                }
            }
        }

        // Never more than the rate and each one's burst; and no less than nine tenths of it, which are shared by what comes.
        Assert.InRange(taken.Sum(), Rate * Seconds * 9 / 10, (Rate * Seconds) + (3 * 20));
    }

    [Fact]
    public async Task AfterARefusalItsLikeIsRefusedUnread()
    {
        var time = new ManualTime();
        await using var app = await RealGateway.StartAsync((o, _) => (o.Limits.IngestionRate, o.Limits.IngestionBurstSize) = (10, 150), time);
        Assert.Equal(204, (await app.WriteAsync("a", hundred)).Code);
        Assert.Equal(429, (await app.WriteAsync("a", hundred)).Code);

        // What is no message at all is not looked at, if it is as large; what is small has a chance.
        Assert.Equal((429, TimeSpan.FromSeconds(5)), await BadAsync(100_000));
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m")).Code);
        Assert.Equal(400, (await BadAsync(10)).Code);
        time.Move(TimeSpan.FromSeconds(2));
        Assert.Equal((429, TimeSpan.FromSeconds(3)), await BadAsync(100_000));
        time.Move(TimeSpan.FromSeconds(3));
        Assert.Equal(400, (await BadAsync(100_000)).Code);

        async Task<(int Code, TimeSpan?)> BadAsync(int bytes)
        {
            var body = new ByteArrayContent(new byte[bytes]);
            body.Headers.ContentType = new("application/x-protobuf");
            body.Headers.ContentEncoding.Add("snappy");
            var answer = await app.SendAsync(HttpMethod.Post, "/api/v1/write", body, ("X-Scope-OrgID", "a"));
            return (answer.Code, answer.RetryAfter);
        }
    }

    [Fact]
    public async Task RequestsAboveTheRateAreRefusedBeforeTheirBodyIsRead()
    {
        var time = new ManualTime();
        await using var app = await RealGateway.StartAsync((o, _) => (o.Limits.RequestRate, o.Limits.RequestBurstSize) = (1, 2), time);
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m")).Code);
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m")).Code);
        var refused = await app.WriteAsync("a", "__name__=m");
        Assert.Equal((429, TimeSpan.FromSeconds(1)), (refused.Code, refused.RetryAfter));
        Assert.Contains("limit request_rate of 1 requests/s", refused.Body);
        Assert.Equal(204, (await app.WriteAsync("b", "__name__=m")).Code);
        time.Move(TimeSpan.FromSeconds(1));
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m")).Code);
    }

    [Theory]
    [InlineData("request_series: 99", "100 series exceed the limit request_series of 99 of tenant a")]
    [InlineData("request_samples: 99", "100 samples exceed the limit request_samples of 99 of tenant a")]
    [InlineData("request_size: 100", "exceed the limit request_size of 100")]
    public async Task ARequestThatIsTooLargeForItsTenantIsRefusedWhole(string limit, string text)
    {
        await using var app = await RealGateway.StartAsync((o, folder) => Overrides(o, folder, $"overrides:\n  a:\n    {limit}\n"));
        var refused = await app.WriteAsync("a", hundred);
        Assert.Equal(413, refused.Code);
        Assert.Contains(text, refused.Body);
        Assert.Equal(0, await SeriesAsync(app, "a"));
        Assert.Equal(204, (await app.WriteAsync("b", hundred)).Code);
    }

    [Fact]
    public async Task AtTheLimitOfActiveSeriesNewOnesAreRefusedAndKnownOnesGoOn()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Limits.MaxGlobalSeriesPerUser = 100);
        Assert.Equal(204, (await app.WriteAsync("a", hundred)).Code);
        var mixed = await app.WriteAsync("a", [.. hundred, "__name__=m,i=new", "__name__=m,i=newer"]);
        Assert.Equal(429, mixed.Code);
        Assert.NotNull(mixed.RetryAfter);
        Assert.StartsWith("2 samples refused, 100 stored; tenant a exceeds its limit max_global_series_per_user of 100 active series (err-mimir-max-series-per-user): 2, first new series; timestamp: ", mixed.Body);
        Assert.Equal(100, await SeriesAsync(app, "a"));
        Assert.Equal(204, (await app.WriteAsync("a", hundred)).Code);
        Assert.Equal(204, (await app.WriteAsync("b", hundred)).Code);
        Assert.Contains("metrics_write_rejected_samples_total{tenant=\"a\",reason=\"too_many_series\"} 2", (await app.GetAsync("/metrics")).Body);
    }

    [Fact]
    public async Task WritersAtOnceNeverMakeMoreSeriesThanTheTenantMayHave()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Limits.MaxGlobalSeriesPerUser = 1000);
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(w => app.WriteAsync("a", [.. Enumerable.Range(0, 200).Select(i => $"__name__=m,w={w},i={i}")])));
        Assert.Contains(answers, a => a.Code == 429);
        Assert.Equal(1000, await SeriesAsync(app, "a"));
    }

    [Fact]
    public async Task SeriesOfOneMetricAreLimitedOverAllShards()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Limits.MaxGlobalSeriesPerMetric = 60);
        var refused = await app.WriteAsync("a", [.. hundred, "__name__=n"]);
        Assert.Equal(429, refused.Code);
        Assert.StartsWith("40 samples refused, 61 stored; tenant a exceeds its limit max_global_series_per_metric of 60 active series of a metric", refused.Body);
        Assert.Equal(61, await SeriesAsync(app, "a"));
    }

    [Theory]
    [InlineData("max_label_names_per_series: 2", "too many labels, limit max_label_names_per_series of tenant a is 2 labels (err-mimir-max-label-names-per-series)")]
    [InlineData("max_label_name_length: 8", "label name too long, limit max_label_name_length of tenant a is 8 bytes (err-mimir-label-name-too-long)")]
    [InlineData("max_label_value_length: 3", "label value too long, limit max_label_value_length of tenant a is 3 bytes (err-mimir-label-value-too-long)")]
    public async Task LabelsAreLimitedByTenantAndNeighboursAreStored(string limit, string words)
    {
        await using var app = await RealGateway.StartAsync((o, folder) => Overrides(o, folder, $"overrides:\n  a:\n    {limit}\n"));
        var refused = await app.WriteAsync("a", "__name__=m", "__name__=m,longname1=v,b=1234");
        Assert.Equal(400, refused.Code);
        Assert.StartsWith($"1 samples refused, 1 stored; {words}: 1, first ", refused.Body);
        Assert.Equal(204, (await app.WriteAsync("b", "__name__=m", "__name__=m,longname1=v,b=1234")).Code);
    }

    [Fact]
    public async Task ChangedOverridesHoldAfterAReloadAndMistakesLeaveWhatWas()
    {
        string? file = null;
        await using var app = await RealGateway.StartAsync((o, folder) => file = Overrides(o, folder, "overrides:\n  a:\n    max_global_series_per_user: 1\n"));
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m,i=1")).Code);
        Assert.Equal(429, (await app.WriteAsync("a", "__name__=m,i=2")).Code);
        File.WriteAllText(file!, "overrides:\n  a:\n    max_global_series_per_user: 2\n    max_label_value_length: 1\n");
        Assert.Equal(200, (await app.SendAsync(HttpMethod.Post, "/-/reload", null)).Code);
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m,i=2")).Code);
        Assert.Equal(400, (await app.WriteAsync("a", "__name__=m,i=22")).Code);

        File.WriteAllText(file!, "overrides:\n  a:\n    max_series: 9\n");
        var wrong = await app.SendAsync(HttpMethod.Post, "/-/reload", null);
        Assert.Equal(500, wrong.Code);
        Assert.StartsWith($"failed to reload config: {file}:3: unknown key \"max_series\"; allowed are out_of_order_window, ", wrong.Body);
        Assert.Contains("metrics_config_last_reload_successful 0", (await app.GetAsync("/metrics")).Body);
        Assert.Contains("is not in order, what was in force stays", app.Log);
        Assert.Equal(429, (await app.WriteAsync("a", "__name__=m,i=3")).Code);

        File.WriteAllText(file!, "overrides:\n");
        Assert.Equal(200, (await app.SendAsync(HttpMethod.Post, "/-/reload", null)).Code);
        Assert.Contains("metrics_config_last_reload_successful 1", (await app.GetAsync("/metrics")).Body);
        Assert.Equal(204, (await app.WriteAsync("a", "__name__=m,i=33")).Code);
    }

    [Fact]
    public async Task GeneralLimitsAreReadAgainWithTheFileOfSettingsAndFlagsStillWin()
    {
        var file = "";
        await using var app = await RealGateway.StartAsync(
            (o, folder) => Overrides(o, folder, "overrides:\n  b:\n    request_size: 1KiB\n"),
            source: folder =>
            {
                file = Path.Combine(folder, "metrics.yml");
                var flag = SettingCatalog.In("limits").Single(s => s.Name == "request_series");
                return new ConfigurationSource(file, () => ServeCommand.ReadOptions(file, [(flag, ["7"])]));
            });
        async Task LimitsAreAsync(int status, string text, int fetched, int groups)
        {
            File.WriteAllText(file, text);
            var reloaded = await app.SendAsync(HttpMethod.Post, "/-/reload", null);
            Assert.Equal((status, status != 200), (reloaded.Code, reloaded.Body.Contains("metrics.yml:1: ", StringComparison.Ordinal)));
            Assert.Contains($"\"reloadConfigSuccess\":{(status == 200 ? "true" : "false")},", (await app.GetAsync("/api/v1/status/runtimeinfo")).Body);
            foreach (var tenant in new[] { "a", "b" })
            {
                var limits = (await app.GetAsync("/api/v1/user_limits", ("X-Scope-OrgID", tenant))).Body;
                Assert.Contains("\"request_series\":7,", limits);
                Assert.Contains($"\"max_fetched_series_per_query\":{fetched},", limits);
                Assert.Contains($"\"ruler_max_rule_groups_per_tenant\":{groups},", limits);
                Assert.Contains($"\"request_size\":{(tenant == "b" ? 1024 : 0)},", limits);
            }
        }

        await LimitsAreAsync(200, "limits: {max_fetched_series_per_query: 5}", 5, 70);
        await LimitsAreAsync(200, "limits: {max_fetched_series_per_query: 9, request_series: 1, ruler_max_rule_groups_per_tenant: 3}", 9, 3);
        await LimitsAreAsync(500, "limits: {max_fetched_series: 9}", 9, 3);
        await LimitsAreAsync(200, "", 0, 70);
        Assert.Contains("max_fetched_series_per_query: 0", (await app.GetAsync("/config")).Body);
    }

    [Fact]
    public async Task AFileThatChangesIsNoticedWithoutBeingTold()
    {
        string? file = null;
        await using var app = await RealGateway.StartAsync((o, folder) =>
        {
            file = Overrides(o, folder, "overrides:\n  a:\n    max_global_series_per_user: 1\n");
            o.Http.WatchEvery = TimeSpan.FromMilliseconds(20);
        });
        Assert.Equal(429, (await app.WriteAsync("a", "__name__=m,i=1", "__name__=m,i=2")).Code);
        File.WriteAllText(file!, "overrides:\n");
        while ((await app.WriteAsync("a", "__name__=m,i=1", "__name__=m,i=2")).Code != 204)
        {
            await Task.Yield();
        }
    }

    [Fact]
    public async Task RuleFilesThatChangeComeOrGoAreNoticedAndMistakesLeaveWhatWas()
    {
        string? folder = null;
        await using var app = await RealGateway.StartAsync((o, f) =>
        {
            folder = f;
            File.WriteAllText(Path.Combine(f, "one.rules"), Group("first"));
            o.Rules.Files = [Path.Combine(f, "*.rules")];
            o.Http.WatchEvery = TimeSpan.FromMilliseconds(20);
        });
        async Task UntilAsync(string path, Func<string, bool> isSo)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            for (var body = (await app.GetAsync(path)).Body; !isSo(body); body = (await app.GetAsync(path)).Body)
            {
                Assert.False(patience.IsCancellationRequested, $"{path}: {body}\n{app.Log}");
                await Task.Yield();
            }
        }

        await UntilAsync("/api/v1/rules", b => b.Contains("first", StringComparison.Ordinal));
        Put("two.rules", Group("second"));
        await UntilAsync("/api/v1/rules", b => b.Contains("first", StringComparison.Ordinal) && b.Contains("second", StringComparison.Ordinal));
        Put("one.rules", "groups: [{name: broken");
        await UntilAsync("/metrics", b => b.Contains("metrics_config_last_reload_successful 0", StringComparison.Ordinal));
        await UntilAsync("/api/v1/rules", b => b.Contains("first", StringComparison.Ordinal) && b.Contains("second", StringComparison.Ordinal));
        File.Delete(Path.Combine(folder!, "one.rules"));
        await UntilAsync("/metrics", b => b.Contains("metrics_config_last_reload_successful 1", StringComparison.Ordinal));
        await UntilAsync("/api/v1/rules", b => b.Contains("second", StringComparison.Ordinal) && !b.Contains("first", StringComparison.Ordinal));

        // At once, or the watch may see the file while it is empty.
        void Put(string name, string text)
        {
            var path = Path.Combine(folder!, name);
            File.WriteAllText(path + ".new", text);
            File.Move(path + ".new", path, overwrite: true);
        }

        static string Group(string name) => $"groups: [{{name: {name}, rules: [{{record: {name}, expr: vector(1)}}]}}]\n";
    }

    [Fact]
    public async Task ReloadingCanBeSwitchedOff()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Http.EnableLifecycle = false);
        Assert.Equal(403, (await app.SendAsync(HttpMethod.Post, "/-/reload", null)).Code);
        Assert.Equal(405, (await app.GetAsync("/-/reload")).Code);
    }

    internal static string Overrides(GatewayOptions options, string folder, string text)
    {
        options.Tenancy.OverridesFile = Path.Combine(folder, "overrides.yml");
        File.WriteAllText(options.Tenancy.OverridesFile, text);
        return options.Tenancy.OverridesFile;
    }

    private static async Task<long> SeriesAsync(RealGateway app, string tenant) =>
        await app.Cluster.FindTenantAsync(Model.TenantId.Parse(tenant), default) is { } found ? found.Shards.Sum(s => s.Statistics.HeadSeries) : 0;
}
