using System.Net;
using System.Text.Json;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Model;
using Metrics.ObjectStore;
using Xunit;

namespace Metrics.Gateway.Tests.Rules;

/// <summary>Groups over several tenants, and groups that go on with partial answers.</summary>
public sealed class SourceTenantsTests : IDisposable
{
    private const long Minute = 60_000;

    private readonly string overrides = Path.GetTempFileName();

    public void Dispose() => File.Delete(overrides);

    [Fact]
    public async Task AGroupReadsTheUnionOfItsSourceTenantsAndWritesToItsOwn()
    {
        await using var server = await StartAsync("overrides: {boss: {source_tenants: [a, b]}}");
        var tick = RuleServer.FirstTick("g", Minute);
        await server.WriteAsync("a", ("__name__=m,i=1", [(tick, 1)]), ("__name__=m,__tenant_id__=mine,i=2", [(tick, 2)]));
        await server.WriteAsync("b", ("__name__=m,i=1", [(tick, 10)]));
        await server.WriteAsync("c", ("__name__=m,i=1", [(tick, 100)]));
        Assert.Equal(HttpStatusCode.Accepted, (await server.SetAsync("boss", """
            name: g
            interval: 1m
            source_tenants: [b, a, a]
            rules:
            - {record: r, expr: sum by (__tenant_id__) (m)}
            - {record: all, expr: 'm'}
            - {record: one, expr: 'm{__tenant_id__="b"}'}
            - {alert: A, expr: 'm > 5', annotations: {s: '{{ $labels.__tenant_id__ }} of {{ query "sum(m)" | first | value }}'}}
            """)).Status);
        var group = await server.TickAsync("boss", "g", tick);
        Assert.Equal("ok ok ok ok", string.Join(' ', group.GetProperty("rules").EnumerateArray().Select(r => r.GetProperty("health").GetString())));
        Assert.Equal("{__name__=r,__tenant_id__=a} 3; {__name__=r,__tenant_id__=b} 10", await server.QueryAsync("boss", "r", tick));
        Assert.Equal(
            "{__name__=all,__tenant_id__=a,i=1} 1; {__name__=all,__tenant_id__=a,i=2,original___tenant_id__=mine} 2; {__name__=all,__tenant_id__=b,i=1} 10",
            await server.QueryAsync("boss", "all", tick));
        Assert.Equal("{__name__=one,__tenant_id__=b,i=1} 10", await server.QueryAsync("boss", "one", tick));
        var alert = group.GetProperty("rules")[3].GetProperty("alerts")[0];
        Assert.Equal(("b", "b of 13"), (alert.GetProperty("labels").GetProperty("__tenant_id__").GetString(), alert.GetProperty("annotations").GetProperty("s").GetString()));
        Assert.Equal("", await server.QueryAsync("a", "r", tick));
    }

    [Fact]
    public async Task OneSourceTenantNeedsNoLabel()
    {
        await using var server = await StartAsync("overrides: {boss: {source_tenants: ['*']}}");
        var tick = RuleServer.FirstTick("g", Minute);
        await server.WriteAsync("a", ("__name__=m", [(tick, 1)]));
        await server.SetAsync("boss", "name: g\ninterval: 1m\nsource_tenants: [a]\nrules: [{record: r, expr: m}]\n");
        await server.TickAsync("boss", "g", tick);
        Assert.Equal("{__name__=r} 1", await server.QueryAsync("boss", "r", tick));
    }

    [Theory]
    [InlineData(false, "overrides: {boss: {source_tenants: [a]}}", "boss", "source_tenants other than the own tenant need rules.federation")]
    [InlineData(true, "overrides: {boss: {source_tenants: [b]}}", "boss", "tenant boss is not allowed to read tenant a")]
    [InlineData(true, "overrides: {boss: {source_tenants: [a]}}", "other", "tenant other is not allowed to read tenant a")]
    [InlineData(true, "", "boss", "tenant boss is not allowed to read tenant a")]
    public async Task WhoWasNotGrantedATenantIsRefused(bool isFederated, string text, string tenant, string message)
    {
        await using var server = await StartAsync(text, isFederated);
        var (status, body) = await server.SetAsync(tenant, "name: g\nsource_tenants: [a]\nrules: [{record: r, expr: m}]\n");
        Assert.Equal((HttpStatusCode.BadRequest, $"group \"g\": {message}\n"), (status, body));
        Assert.Equal(HttpStatusCode.Accepted, (await server.SetAsync(tenant, $"name: g\nsource_tenants: [{tenant}]\nrules: [{{record: r, expr: m}}]\n")).Status);
    }

    /// <summary>A grant that is taken back counts at the next tick: the rule fails, and says why.</summary>
    [Fact]
    public async Task AGrantThatIsTakenBackEndsTheReading()
    {
        await using var server = await StartAsync("overrides: {boss: {source_tenants: [a]}}");
        var tick = RuleServer.FirstTick("g", Minute);
        await server.WriteAsync("a", ("__name__=m", [(tick, 1)]));
        await server.SetAsync("boss", "name: g\ninterval: 1m\nsource_tenants: [a]\nrules: [{record: r, expr: m}]\n");
        Assert.Equal("ok", Health(await server.TickAsync("boss", "g", tick)));
        await File.WriteAllTextAsync(overrides, "overrides: {boss: {}}");
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Post, "/-/reload")).Status);
        var group = await server.TickAsync("boss", "g", tick + Minute);
        Assert.Equal(("err", "group \"g\": tenant boss is not allowed to read tenant a"), (Health(group), group.GetProperty("rules")[0].GetProperty("lastError").GetString()));
    }

    /// <summary>Thanos's <c>partial_response_strategy</c>: a shard that can't be read fails the rule, as by default, or is a warning that is counted.</summary>
    [Fact]
    public async Task AMissingShardFailsTheRuleOrIsAWarning()
    {
        await using var server = await RuleServer.StartAsync(seen: static real => new LameCluster(real));
        await server.WriteAsync("team", ("__name__=m", [(RuleServer.Start, 7)]));
        await server.SetAsync("team", "name: warned\ninterval: 1m\npartial_response_strategy: warn\nrules: [{record: w, expr: sum(m)}]\n");
        await server.SetAsync("team", "name: aborted\ninterval: 1m\npartial_response_strategy: abort\nrules: [{record: a, expr: sum(m)}]\n");
        await server.SetAsync("team", "name: plain\ninterval: 1m\nrules: [{record: p, expr: sum(m)}]\n");
        foreach (var (group, health) in new[] { ("warned", "ok"), ("aborted", "err"), ("plain", "err") }.OrderBy(g => RuleServer.FirstTick(g.Item1, Minute)))
        {
            Assert.Equal(health, Health(await server.TickAsync("team", group, RuleServer.FirstTick(group, Minute))));
        }

        var (_, metrics) = await server.SendAsync(HttpMethod.Get, "/metrics");
        Assert.Contains("metrics_rule_evaluation_with_warnings_total{tenant=\"team\",rule_group=\"ns;warned\"} 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("metrics_rule_evaluation_with_warnings_total{tenant=\"team\",rule_group=\"ns;aborted\"} 0\n", metrics, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tenants: {}", ":1: unknown key \"tenants\"; allowed is overrides")]
    [InlineData("overrides: {a|b: {}}", "no tenant id")]
    [InlineData("overrides: {a: {nonsense: 1}}", "unknown key \"nonsense\"; allowed are alerting, source_tenants")]
    [InlineData("overrides: {a: {source_tenants: b}}", "want a list of tenants")]
    [InlineData("overrides: {a: {source_tenants: [b/c]}}", "\"b/c\" is no tenant id")]
    [InlineData("overrides:\n  a:\n    alerting:\n      alertmanagers:\n      - api_version: v1", ":4: alerting: line 5: expected Alertmanager api version")]
    public async Task AMistakeInTheOverridesStopsTheStart(string text, string message)
    {
        var failure = await Assert.ThrowsAsync<ConfigurationException>(() => StartAsync(text));
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    private static string? Health(JsonElement group) => group.GetProperty("rules")[0].GetProperty("health").GetString();

    private async Task<RuleServer> StartAsync(string text, bool isFederated = true)
    {
        await File.WriteAllTextAsync(overrides, text);
        return await RuleServer.StartAsync(options => (options.Rules.Federation, options.Rules.OverridesFile) = (isFederated, overrides));
    }

    /// <summary>Real shards and one that can't be read.</summary>
    private sealed class LameCluster(ICluster real) : ICluster
    {
        private readonly FakeCluster fake = new() { QueryFailure = new ShardUnavailableException(new ShardId(TenantId.Parse("team"), HashRange.Everything), "its owner is gone") };

        public ReplayProgress Progress => real.Progress;

        public IObjectStore? Objects => real.Objects;

        public IReadOnlyList<ITenant> Tenants => real.Tenants;

        public ValueTask<ITenant> OpenTenantAsync(TenantId tenant, CancellationToken cancellation) => real.OpenTenantAsync(tenant, cancellation);

        public async ValueTask<ITenant?> FindTenantAsync(TenantId tenant, CancellationToken cancellation) =>
            await real.FindTenantAsync(tenant, cancellation) is { } found ? new LameTenant(found, [.. found.Shards, .. fake[tenant.Value].Shards]) : null;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed record LameTenant(ITenant Real, IReadOnlyList<IShard> Shards) : ITenant
    {
        public TenantId Id => Real.Id;

        public IMetricMetadata Metadata => Real.Metadata;

        public ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation) => Real.SnapshotAsync(skipHead, cancellation);
    }
}
