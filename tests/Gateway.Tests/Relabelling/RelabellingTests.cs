using System.Net;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Relabelling;
using Metrics.Gateway.Tests.Otlp;
using Metrics.Testing;
using Xunit;

namespace Metrics.Gateway.Tests.Relabelling;

/// <summary>Relabelling at write: every action, by tenant, for every format, and what mistakes in the file say.</summary>
public class RelabellingTests
{
    // Rules, the labels that come, and what is stored; nothing when the series is left out. Outcomes as prometheus/prometheus model/relabel documents its actions.
    [Theory]
    [InlineData("{source_labels: [a, b], regex: '(.*);(.*)', target_label: c, replacement: '$2-$1'}", "__name__=m,a=1,b=2", "m{a=\"1\", b=\"2\", c=\"2-1\"}")]
    [InlineData("{source_labels: [a], regex: nomatch, target_label: c, replacement: x}", "__name__=m,a=1", "m{a=\"1\"}")]
    [InlineData("{target_label: c, replacement: fixed}", "__name__=m", "m{c=\"fixed\"}")]
    [InlineData("{source_labels: [a], target_label: a, replacement: ''}", "__name__=m,a=1", "m")]
    [InlineData("{source_labels: [__name__], regex: 'old_(.*)', target_label: __name__, replacement: 'new_${1}'}", "__name__=old_m", "new_m")]
    [InlineData("{action: keep, source_labels: [a], regex: 1|2}", "__name__=m,a=1", "m{a=\"1\"}")]
    [InlineData("{action: keep, source_labels: [a], regex: 1|2}", "__name__=m,a=12", "")]
    [InlineData("{action: drop, source_labels: [a], regex: 1}", "__name__=m,a=1", "")]
    [InlineData("{action: drop, source_labels: [a], regex: 1}", "__name__=m,a=2", "m{a=\"2\"}")]
    [InlineData("{action: keepequal, source_labels: [a], target_label: b}", "__name__=m,a=1,b=1", "m{a=\"1\", b=\"1\"}")]
    [InlineData("{action: keepequal, source_labels: [a], target_label: b}", "__name__=m,a=1,b=2", "")]
    [InlineData("{action: dropequal, source_labels: [a], target_label: b}", "__name__=m,a=1,b=1", "")]
    [InlineData("{action: hashmod, source_labels: [a], modulus: 8, target_label: shard}", "__name__=m,a=foo", "m{a=\"foo\", shard=\"0\"}")]
    [InlineData("{action: labelmap, regex: 'meta_(.*)'}", "__name__=m,meta_x=1", "m{meta_x=\"1\", x=\"1\"}")]
    [InlineData("{action: labeldrop, regex: 'meta_.*'}", "__name__=m,a=1,meta_x=1", "m{a=\"1\"}")]
    [InlineData("{action: labelkeep, regex: '__name__|a'}", "__name__=m,a=1,meta_x=1", "m{a=\"1\"}")]
    [InlineData("{action: lowercase, source_labels: [a], target_label: a}", "__name__=m,a=ABC", "m{a=\"abc\"}")]
    [InlineData("{action: uppercase, source_labels: [a], target_label: b}", "__name__=m,a=abc", "m{a=\"abc\", b=\"ABC\"}")]
    [InlineData("{action: labeldrop, regex: '.*'}", "__name__=m,a=1", "")]
    public async Task EachActionDoesWhatPrometheusHasItDo(string rule, string labels, string want)
    {
        await using var app = await StartAsync($"metric_relabel_configs:\n  - {rule}\n");
        for (var time = 1; time <= 2; time++)
        {
            Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync(WriteMessage.Of(WriteMessage.Series(labels, (time, 1))))).Status);
        }

        Assert.Equal(want.Length == 0 ? [] : [want + " 1 1", want + " 2 1"], app.Cluster["default"].Samples);
        var leftOut = $"metrics_write_relabelled_away_samples_total{{tenant=\"default\"}} 2\n";
        Assert.Equal(want.Length == 0, (await app.GetAsync("/metrics")).Body.Contains(leftOut, StringComparison.Ordinal));
    }

    [Fact]
    public async Task TenantsHaveRulesOfTheirOwnAndAReloadChangesThem()
    {
        var folder = Directory.CreateTempSubdirectory();
        var (general, overrides) = (Path.Combine(folder.FullName, "general.yml"), Path.Combine(folder.FullName, "overrides.yml"));
        await File.WriteAllTextAsync(general, "metric_relabel_configs: [{target_label: general, replacement: yes}]");
        await File.WriteAllTextAsync(overrides, """
            overrides:
              a:
                metric_relabel_configs:
                  - {target_label: own, replacement: a}
                  - {source_labels: [own], target_label: twice, replacement: "$1$1"}
              b:
                metric_relabel_configs: []
            """);
        await using var app = await GatewayApp.StartAsync(options => (options.Relabelling.File, options.Tenancy.OverridesFile, options.Http.EnableLifecycle) = (general, overrides, true));
        await WriteAsync(1);
        Assert.Equal(["m{own=\"a\", twice=\"aa\"} 1 1"], app.Cluster["a"].Samples);
        Assert.Equal(["m 1 1"], app.Cluster["b"].Samples);
        Assert.Equal(["m{general=\"yes\"} 1 1"], app.Cluster["c"].Samples);

        await File.WriteAllTextAsync(general, "metric_relabel_configs: [{target_label: general, replacement: later}]");
        await File.WriteAllTextAsync(overrides, "overrides: {a: {metric_relabel_configs: [{action: drop, source_labels: [__name__], regex: m}]}}");
        Assert.Equal(HttpStatusCode.OK, (await app.SendAsync(HttpMethod.Post, "/-/reload", null)).Status);
        await WriteAsync(2);
        Assert.Equal(["m{own=\"a\", twice=\"aa\"} 1 1"], app.Cluster["a"].Samples);
        Assert.Equal(["m 1 1", "m{general=\"later\"} 2 1"], app.Cluster["b"].Samples);
        Assert.Equal(["m{general=\"later\"} 2 1", "m{general=\"yes\"} 1 1"], app.Cluster["c"].Samples);

        // A mistake leaves what was in force.
        await File.WriteAllTextAsync(general, "metric_relabel_configs: [{action: nonsense}]");
        Assert.Equal(HttpStatusCode.InternalServerError, (await app.SendAsync(HttpMethod.Post, "/-/reload", null)).Status);
        await WriteAsync(3);
        Assert.Contains("m{general=\"later\"} 3 1", app.Cluster["c"].Samples);
        folder.Delete(recursive: true);

        async Task WriteAsync(long timeMs)
        {
            foreach (var tenant in new[] { "a", "b", "c" })
            {
                Assert.Equal(HttpStatusCode.NoContent, (await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=m", (timeMs, 1))), ("X-Scope-OrgID", tenant))).Status);
            }
        }
    }

    [Fact]
    public async Task EveryFormatIsRelabelledAndOnlySomeSeriesLeftOut()
    {
        await using var app = await StartAsync("metric_relabel_configs: [{action: drop, source_labels: [__name__], regex: 'drop.*'}, {action: labeldrop, regex: pod}]");
        await OtlpWrite.SendAsync(app, OtlpTests.OneResource("", OtlpBytes.Gauge("drop.it", "", OtlpBytes.Number(1000, 1, [])), OtlpBytes.Gauge("g", "", OtlpBytes.Number(1000, 1, OtlpBytes.Attributes("pod=p")))));
        await app.SendAsync(HttpMethod.Post, "/write", new StringContent("drop v=1 1000000\ni,pod=p v=1 1000000"));
        await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=drop", (1, 1)), WriteMessage.Series("__name__=w,pod=p", (1, 1))));
        Assert.Equal(["g 1000 1", "i_v 1 1", "w 1 1"], app.Cluster["default"].Samples);
    }

    [Fact]
    public async Task TheReplicaLabelIsGoneBeforeTheRulesRun()
    {
        await using var app = await StartAsync(
            "metric_relabel_configs: [{source_labels: [__replica__, cluster], target_label: seen}]",
            options => options.Limits.AcceptHaSamples = true);
        await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=m,__replica__=a,cluster=c", (1, 1))));
        Assert.Equal(["m{cluster=\"c\", seen=\";c\"} 1 1"], app.Cluster["default"].Samples);
    }

    [Theory]
    [InlineData("nonsense: 1", "rules.yml:1: unknown key \"nonsense\"; allowed is metric_relabel_configs")]
    [InlineData("metric_relabel_configs:\n  - {action: hashmod, target_label: x}", "rules.yml: metric_relabel_configs: line 2: relabel configuration for hashmod requires non-zero modulus")]
    [InlineData("metric_relabel_configs:\n  - {action: keep, regex: '('}", "rules.yml: metric_relabel_configs: line 2:")]
    [InlineData("metric_relabel_configs: 5", "rules.yml: metric_relabel_configs: line 1: cannot unmarshal")]
    [InlineData("a: [", "rules.yml:2: not valid YAML")]
    public void MistakesInTheFileAreNamed(string yaml, string want) =>
        Assert.StartsWith(want, Assert.Throws<ConfigurationException>(() => RelabelFile.Parse("rules.yml", yaml)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task AFileThatIsMissingIsRefusedAtStart() =>
        Assert.Contains("relabelling.file /absent", (await Assert.ThrowsAsync<ConfigurationException>(() => GatewayApp.StartAsync(options => options.Relabelling.File = "/absent"))).Message, StringComparison.Ordinal);

    private static async Task<GatewayApp> StartAsync(string yaml, Action<GatewayOptions>? configure = null)
    {
        var path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, yaml);
        try
        {
            return await GatewayApp.StartAsync(options =>
            {
                options.Relabelling.File = path;
                configure?.Invoke(options);
            });
        }
        finally
        {
            File.Delete(path);
        }
    }
}
