using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Limits;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests;

public class ConfigurationTests
{
    [Fact]
    public void AFileSetsWhatItNamesAndLeavesTheRest()
    {
        var options = new GatewayOptions();
        ConfigurationFile.Apply(
            "f.yml",
            """
            # a comment
            http:
              listen: "[::1]:9090"
              shutdown_timeout: 1m30s
            remote_write:
              max_body: 1MiB
            query:
              max_samples: 5
              enable_features: [promql-experimental-functions, type-and-unit-labels]
            storage:
              fsync: always
            tenancy:
            """,
            options);
        Assert.Equal("[::1]:9090", options.Http.Listen);
        Assert.Equal(TimeSpan.FromSeconds(90), options.Http.ShutdownTimeout);
        Assert.Equal(ByteSize.MiB(1), options.RemoteWrite.MaxBody);
        Assert.Equal(5, options.Query.MaxSamples);
        Assert.Equal(["promql-experimental-functions", "type-and-unit-labels"], options.Query.EnableFeatures);
        Assert.Equal(FsyncMode.Always, options.Storage.Fsync);
        Assert.Equal("default", options.Tenancy.DefaultTenant);
    }

    [Theory]
    [InlineData("htp:\n  listen: x", "f.yml:1: unknown key \"htp\"; allowed are http, tenancy, security, limits, remote_write, otlp, influx, ha_dedup, relabelling, query, front_end, storage, archive, rules, cluster, telemetry")]
    [InlineData("http:\n  lisen: x", "f.yml:2: unknown key \"http.lisen\"; allowed are listen, route_prefix, max_connections, shutdown_timeout, http2, admin_api, enable_lifecycle, watch_every, cors_origin")]
    [InlineData("\nquery:\n  timeout: soon", "f.yml:3: query.timeout: \"soon\" is not allowed; allowed is a duration such as 30s or 1h30m, 1ms to 1d")]
    [InlineData("query:\n  timeout: 2d", "f.yml:2: query.timeout: \"2d\" is not allowed; allowed is a duration such as 30s or 1h30m, 1ms to 1d")]
    [InlineData("query:\n  max_concurrency: 0", "f.yml:2: query.max_concurrency: \"0\" is not allowed; allowed is a whole number, 1 to 10000")]
    [InlineData("storage:\n  fsync: often", "f.yml:2: storage.fsync: \"often\" is not allowed; allowed is one of interval, always, never")]
    [InlineData("remote_write:\n  max_body: 1TB", "f.yml:2: remote_write.max_body: \"1TB\" is not allowed; allowed is a size such as 32MiB, 1KiB to 1GiB")]
    [InlineData("http:\n  http2: yes", "f.yml:2: http.http2: \"yes\" is not allowed; allowed is true or false")]
    [InlineData("http: 5", "f.yml:1: http must hold keys and values")]
    [InlineData("- a", "f.yml:1: the file must hold keys and values")]
    [InlineData("http:\n  listen: [a]", "f.yml:2: want http.listen (text), got a sequence")]
    public void MistakesInTheFileNameLineKeyValueAndWhatIsAllowed(string yaml, string message)
    {
        var e = Assert.Throws<ConfigurationException>(() => ConfigurationFile.Apply("f.yml", yaml, new GatewayOptions()));
        Assert.Equal(message, e.Message);
    }

    [Fact]
    public void TheOverridesFileGivesATenantItsOwnAndTheGeneralForTheRest()
    {
        var general = new RetentionOptions { Raw = TimeSpan.FromDays(15), FiveMinutes = TimeSpan.FromDays(90), MaxBytes = 5 };
        var storage = new StorageOptions
        {
            DataDirectory = "d",
            Archive = new ArchiveOptions { Retention = general },
            Tenants = TenantOverrides.Parse("o.yml", "overrides:\n  a:\n    out_of_order_window: 2h\n    retention: 30d\n    retention_one_hour: 1y\n    retention_size: 1KiB\n  b: {retention: 0}\n", general, new TenantLimits()).ToDictionary(t => t.Key, t => t.Value.Storage),
        };
        var a = storage.Of(TenantId.Parse("a"));
        Assert.Equal(TimeSpan.FromHours(2), a.OutOfOrderWindow);
        Assert.Equal(new RetentionOptions { Raw = TimeSpan.FromDays(30), FiveMinutes = TimeSpan.FromDays(90), OneHour = TimeSpan.FromDays(365), MaxBytes = 1024 }, a.Archive.Retention);
        var b = storage.Of(TenantId.Parse("b"));
        Assert.Equal(storage.OutOfOrderWindow, b.OutOfOrderWindow);
        Assert.Equal(general with { Raw = null }, b.Archive.Retention);
        Assert.Same(storage, storage.Of(TenantId.Parse("c")));
        Assert.Empty(TenantOverrides.Parse("o.yml", "", general, new TenantLimits()));
    }

    [Theory]
    [InlineData("limits: {}", "o.yml:1: unknown key \"limits\"; allowed is overrides")]
    [InlineData("overrides:\n  a:\n    retntion: 1d", "o.yml:3: unknown key \"retntion\"; allowed are out_of_order_window, retention, retention_five_minutes, retention_one_hour, retention_size, ingestion_rate, ")]
    [InlineData("overrides:\n  a:\n    retention: soon", "o.yml:3: retention: got \"soon\", want a duration such as 30s or 1h30m, 0 to 100y")]
    [InlineData("overrides:\n  a:\n    out_of_order_window: 2y", "o.yml:3: out_of_order_window: got \"2y\", want a duration such as 30s or 1h30m, 0 to 1y")]
    [InlineData("overrides:\n  a:\n    retention_size: big", "o.yml:3: retention_size: got \"big\", want a size such as 32MiB; 0 keeps all")]
    [InlineData("overrides:\n  a:\n    ingestion_rate: -1", "o.yml:3: ingestion_rate: \"-1\" is not allowed; allowed is a whole number, 0 to 1000000000000")]
    [InlineData("overrides:\n  a:\n    blocked_queries: [{patern: up}]", "o.yml:3: unknown key \"patern\"; allowed are pattern, regex, ")]
    [InlineData("overrides:\n  a:\n    blocked_queries: [{pattern: '(', regex: true}]", "o.yml:3: pattern: \"(\" is no regular expression: ")]
    [InlineData("overrides:\n  a:\n    blocked_queries: [{reason: no}]", "o.yml:3: a blocked query without any condition would block all")]
    [InlineData("overrides: [a]", "o.yml:1: overrides must hold keys and values")]
    public void MistakesInTheOverridesFileNameLineKeyAndWhatIsAllowed(string yaml, string message)
    {
        var e = Assert.Throws<ConfigurationException>(() => TenantOverrides.Parse("o.yml", yaml, new RetentionOptions(), new TenantLimits()));
        Assert.StartsWith(message, e.Message);
    }

    [Theory]
    [InlineData("a: b: c")]
    [InlineData("http: {")]
    [InlineData("http:\n  listen: a\nhttp:\n  listen: b")]
    public void TextThatIsNoYamlIsRefusedWithItsLine(string yaml)
    {
        var e = Assert.Throws<ConfigurationException>(() => ConfigurationFile.Apply("f.yml", yaml, new GatewayOptions()));
        Assert.Matches("^f.yml:[0-9]+: not valid YAML: ", e.Message);
    }

    [Theory]
    [InlineData("localhost:1", true)]
    [InlineData(":80", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.0.0.1:65536", false)]
    [InlineData("example.org:80", false)]
    [InlineData("::1:80", false)]
    public void ListenIsAnAddressAndAPort(string listen, bool isValid)
    {
        var options = new GatewayOptions();
        options.Http.Listen = listen;
        var e = Record.Exception(() => OptionsValidator.Validate(options));
        Assert.Equal(isValid, e is null);
        Assert.True(e is null or ConfigurationException);
    }

    [Fact]
    public void DefaultsAreValidAndSurviveBeingShownAndReadBack()
    {
        var shown = new GatewayOptions();
        OptionsValidator.Validate(shown);
        var read = new GatewayOptions();
        foreach (var setting in SettingCatalog.All)
        {
            var text = setting.Show(shown);
            setting.Set(read, setting.IsList ? [text.Trim('[', ']')] : [text], setting.Flag);
            Assert.Equal(text, setting.Show(read));
        }
    }

    [Theory]
    [InlineData("1h30m", 5_400_000)]
    [InlineData("1y2w3d4h5m6s7ms", 33_019_506_007)]
    [InlineData("0", 0)]
    [InlineData("0s", 0)]
    [InlineData("", -1)]
    [InlineData("1", -1)]
    [InlineData("1m1h", -1)]
    [InlineData("1s1s", -1)]
    [InlineData("-1s", -1)]
    [InlineData("1.5s", -1)]
    [InlineData("300y", -1)]
    [InlineData("99999999999999999999s", -1)]
    public void DurationsAreThoseOfPrometheus(string text, long ms)
    {
        Assert.Equal(ms >= 0, DurationText.TryParse(text, out var got));
        Assert.True(ms < 0 || ms == got);
    }

    [Fact]
    public void TheDocumentationListsEverySettingWithItsDefault()
    {
        var doc = File.ReadAllText(Path.Combine(Root(), "docs", "configuration.md"));
        var defaults = new GatewayOptions();
        foreach (var setting in SettingCatalog.All)
        {
            Assert.Contains(Row(setting, defaults), doc);
        }

        Assert.Equal(SettingCatalog.All.Count, doc.Split('\n').Count(line => line.StartsWith("| `", StringComparison.Ordinal)));
    }

    private static string Row(Setting setting, GatewayOptions defaults) =>
        $"| `{setting.Name}` | `{setting.Flag}` | {(setting.Show(defaults) is { Length: > 0 } text ? $"`{text}`" : "empty")} | {setting.Allowed} | {setting.Summary} |";

    private static string Root()
    {
        var at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "Metrics.sln")))
        {
            at = Path.GetDirectoryName(at) ?? throw new InvalidOperationException("the repository root was not found");
        }

        return at;
    }
}
