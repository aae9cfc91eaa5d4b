using System.Text.Json;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.Limits;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Rules;
using Metrics.Model;
using Metrics.PromQL;
using Xunit;

namespace Metrics.Gateway.Tests.Rules;

/// <summary>Rules ask as their tenant's users do: within the same limits, in the same queue, to be seen and stopped.</summary>
public class RuleLimitsTests
{
    private static readonly TenantId a = TenantId.Parse("a");

    [Fact]
    public async Task ARuleOverALimitFailsAndSaysWhich()
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  a: {max_fetched_series_per_query: 3}\n"));
        Assert.Equal(204, (await app.WriteAsync("a", [.. Enumerable.Range(0, 20).Select(i => $"__name__=m,i={i}")])).Code);
        using var group = new StringContent("name: g\ninterval: 1s\nrules: [{record: r, expr: count(m)}, {record: s, expr: 'count(m{i=\"1\"})'}]");
        Assert.Equal(202, (await app.SendAsync(HttpMethod.Post, "/config/v1/rules/n", group, ("X-Scope-OrgID", "a"))).Code);
        List<(string Health, string Error)> rules;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        do
        {
            patience.Token.ThrowIfCancellationRequested();
            using var json = JsonDocument.Parse((await app.GetAsync("/api/v1/rules", ("X-Scope-OrgID", "a"))).Body);
            rules = [.. json.RootElement.GetProperty("data").GetProperty("groups").EnumerateArray().SelectMany(g => g.GetProperty("rules").EnumerateArray())
                .Select(r => (r.GetProperty("health").GetString()!, r.TryGetProperty("lastError", out var e) ? e.GetString()! : ""))];
        }
        while (rules.Count < 2 || rules.Exists(r => r.Health == "unknown"));

        Assert.Equal(["err", "ok"], rules.Select(r => r.Health));
        Assert.Contains("limit max_fetched_series_per_query of 3 of tenant a", rules[0].Error);
    }

    [Fact]
    public async Task ATenantHasNoMoreGroupsThanItMayHaveHoweverManyComeAtOnce()
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  a: {ruler_max_rule_groups_per_tenant: 3, ruler_max_rules_per_rule_group: 1}\n"));
        async Task<int> SetAsync(string tenant, string space, string group, int rules = 1)
        {
            using var body = new StringContent($"name: {group}\ninterval: 1h\nrules: [{string.Join(", ", Enumerable.Range(0, rules).Select(static i => $"{{record: r{i}, expr: m}}"))}]");
            return (await app.SendAsync(HttpMethod.Post, $"/config/v1/rules/{space}", body, ("X-Scope-OrgID", tenant))).Code;
        }

        Assert.Equal(400, await SetAsync("a", "n", "g", rules: 2));
        Assert.Equal(202, await SetAsync("b", "n", "g", rules: 2));
        var codes = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => SetAsync("a", $"n{i % 6}", $"g{i}")));
        var groups = (await app.GetAsync("/config/v1/rules", ("X-Scope-OrgID", "a"))).Body.Split('\n').Count(l => l.Contains("name: g", StringComparison.Ordinal));
        Assert.InRange(groups, 0, 3);
        Assert.Equal(groups, codes.Count(c => c == 202));

        // One at a time, all that it may have.
        for (var i = groups; i < 3; i++)
        {
            Assert.Equal(202, await SetAsync("a", "more", $"more{i}"));
        }

        Assert.Equal(400, await SetAsync("a", "more", "last"));
    }

    [Fact]
    public async Task ARuleWaitsInTurnIsSeenAndCanBeStopped()
    {
        var gate = new ConcurrencyGate(1, 10, static _ => (0, 1));
        var active = new ActiveQueries(TimeProvider.System);
        var engine = new QueryEngine(new EngineOptions());
        var limits = new QueryLimits(new IngestLimits(new LimitsTable(new GatewayOptions()), TimeProvider.System, static (_, _) => 1), new(), null!);
        var queries = new RuleQueries(limits, gate, active, TimeSpan.FromMinutes(1), TimeProvider.System);
        await gate.EnterAsync(a, default);

        // More than may wait of a tenant's users, and none of them is turned away.
        var first = RunAsync();
        var second = RunAsync();
        var third = RunAsync();
        Assert.Equal([false, false, false], active.Of(a).Select(q => q.IsRunning));
        var user = gate.EnterAsync(a, default).AsTask();
        Assert.Equal(429, (await Assert.ThrowsAsync<ApiException>(async () => await gate.EnterAsync(a, default))).Status);
        Assert.True(active.Cancel(a, active.Of(a)[1].Id));
        Assert.Equal(QueryErrorKind.Canceled, (await Assert.ThrowsAsync<QueryException>(() => second)).Kind);
        gate.Leave(a);
        double[] answers = [await first, await third];
        Assert.Equal<double>([2, 2], answers);
        await user;
        gate.Leave(a);
        Assert.Equal([], active.Of(a));
        Assert.Equal((0, 0), gate.Load);

        async Task<double> RunAsync()
        {
            using var result = await queries.ExecuteAsync(a, engine, new QueryRequest("1 + 1", TimeGrid.Instant(1000), IsRange: false), [], default);
            return result.Series[0].Points.Values[0];
        }
    }
}
