using System.Net;
using System.Text;
using System.Text.Json;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Rules;
using Metrics.Gateway.Tests.Rules;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Rules.Groups;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>Rules over HTTP: Prometheus's API for reading them, Mimir's for setting them.</summary>
public sealed class RulesTests : IDisposable
{
    private const string Group = "name: api\nrules:\n- {record: r, expr: vector(1)}\n";

    private readonly string folder = Directory.CreateTempSubdirectory("gateway-rules-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task RulesOfFilesAreShownFilteredAndByPages()
    {
        await using var app = await StartAsync("""
            groups:
            - name: a
              interval: 1h
              rules:
              - {record: r1, expr: vector(1), labels: {team: x}}
              - {alert: A1, expr: 'up == 0', for: 5m, keep_firing_for: 1m, labels: {team: y}, annotations: {s: '{{ $value }}'}}
            - name: b
              interval: 1h
              rules:
              - {record: r2, expr: sum(up)}
            - name: c
              interval: 1h
              limit: 7
              rules:
              - {alert: A2, expr: up}
            """);
        var all = await GroupsAsync(app, "", want: 3);
        Assert.Equal("a: r1 A1; b: r2; c: A2", Names(all));
        var rule = all[0].GetProperty("rules")[1];
        Assert.Equal(
            ("A1", "up == 0", 300, 60, "alerting", "unknown", "unknown", "0001-01-01T00:00:00Z"),
            (rule.GetProperty("name").GetString(), rule.GetProperty("query").GetString(), rule.GetProperty("duration").GetInt32(), rule.GetProperty("keepFiringFor").GetInt32(),
                rule.GetProperty("type").GetString(), rule.GetProperty("health").GetString(), rule.GetProperty("state").GetString(), rule.GetProperty("lastEvaluation").GetString()));
        Assert.Equal((3600, 7), (all[2].GetProperty("interval").GetInt32(), all[2].GetProperty("limit").GetInt32()));
        Assert.Equal("a: A1; c: A2", Names(await GroupsAsync(app, "?type=alert")));
        Assert.Equal("a: r1; b: r2", Names(await GroupsAsync(app, "?type=record")));
        Assert.Equal("b: r2", Names(await GroupsAsync(app, "?rule_name[]=r2&rule_name[]=r9")));
        Assert.Equal("b: r2; c: A2", Names(await GroupsAsync(app, "?rule_group[]=b&rule_group[]=c")));
        Assert.Equal("", Names(await GroupsAsync(app, "?file[]=other.yml")));
        Assert.Equal("a: A1", Names(await GroupsAsync(app, "?match[]={team=\"y\"}")));
        Assert.Equal(JsonValueKind.Null, (await GroupsAsync(app, "?exclude_alerts=true&type=alert"))[0].GetProperty("rules")[0].GetProperty("alerts").ValueKind);

        using var first = JsonDocument.Parse((await app.GetAsync("/api/v1/rules?group_limit=2")).Body);
        Assert.Equal("a: r1 A1; b: r2", Names([.. first.RootElement.GetProperty("data").GetProperty("groups").EnumerateArray()]));
        var token = first.RootElement.GetProperty("data").GetProperty("groupNextToken").GetString();
        using var second = JsonDocument.Parse((await app.GetAsync($"/api/v1/rules?group_limit=2&group_next_token={token}")).Body);
        Assert.Equal("c: A2", Names([.. second.RootElement.GetProperty("data").GetProperty("groups").EnumerateArray()]));
        Assert.False(second.RootElement.GetProperty("data").TryGetProperty("groupNextToken", out _));
        Assert.Equal("{\"status\":\"success\",\"data\":{\"alerts\":[]}}", (await app.GetAsync("/api/v1/alerts")).Body);
        Assert.Contains("\"groups\":[]", (await app.GetAsync("/api/v1/rules", ("X-Scope-OrgID", "other"))).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("?type=x", "invalid parameter \"type\": not supported value \"x\"")]
    [InlineData("?exclude_alerts=maybe", "invalid parameter \"exclude_alerts\": error converting exclude_alerts: strconv.ParseBool: parsing \"maybe\": invalid syntax")]
    [InlineData("?group_limit=0", "invalid parameter \"group_limit\": group_limit needs to be greater than 0")]
    [InlineData("?group_limit=x", "invalid parameter \"group_limit\": group_limit needs to be a valid number: strconv.ParseInt: parsing \"x\": invalid syntax")]
    [InlineData("?group_next_token=x", "invalid parameter \"group_next_token\": group_limit needs to be present in order to paginate over the groups")]
    [InlineData("?group_limit=1&group_next_token=x", "invalid parameter \"group_next_token\": invalid group_next_token 'x'. were rule groups changed?")]
    [InlineData("?match[]={", "invalid parameter \"match[]\"")]
    public async Task ABadParameterIs400(string query, string message)
    {
        await using var app = await StartAsync("groups: [{name: a, interval: 1h, rules: [{record: r, expr: up}]}]");
        var (status, body) = await app.GetAsync("/api/v1/rules" + query);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(message, JsonDocument.Parse(body).RootElement.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/prometheus/config/v1/rules")]
    [InlineData("/config/v1/rules")]
    [InlineData("/api/v1/rules")]
    public async Task ATenantSetsGroupsOfItsOwn(string path)
    {
        await using var app = await GatewayApp.StartAsync();
        Assert.Equal(HttpStatusCode.Accepted, await SetAsync(app, path + "/name%2Fspace", Group));
        Assert.Equal("api: r", Names(await GroupsAsync(app, "", want: 1, tenant: "team")));
        Assert.Empty(await GroupsAsync(app, ""));
        Assert.Equal("name/space:\n- name: api\n  rules:\n  - record: r\n    expr: vector(1)\n", (await app.GetAsync("/config/v1/rules", ("X-Scope-OrgID", "team"))).Body);
        Assert.Equal("name: api\nrules:\n- record: r\n  expr: vector(1)\n", (await app.GetAsync(path + "/name%2Fspace/api", ("X-Scope-OrgID", "team"))).Body);
        Assert.Equal(HttpStatusCode.NotFound, (await app.GetAsync(path + "/name%2Fspace/api")).Status);
        Assert.Equal(HttpStatusCode.Accepted, await SetAsync(app, path + "/name%2Fspace", Group.Replace("vector(1)", "vector(2)")));
        Assert.Contains("vector(2)", (await app.GetAsync(path + "/name%2Fspace", ("X-Scope-OrgID", "team"))).Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Accepted, (await app.SendAsync(HttpMethod.Delete, path + "/name%2Fspace/api", null, ("X-Scope-OrgID", "team"))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await app.SendAsync(HttpMethod.Delete, path + "/name%2Fspace/api", null, ("X-Scope-OrgID", "team"))).Status);
        Assert.Equal((HttpStatusCode.NotFound, "no rule groups found\n"), await app.GetAsync("/config/v1/rules", ("X-Scope-OrgID", "team")));
        Assert.Empty(await GroupsAsync(app, "", tenant: "team"));
    }

    [Fact]
    public async Task AdministratorsSeeWhatEveryTenantSetAndRemoveWhatOneDid()
    {
        await using var app = await GatewayApp.StartAsync();
        Assert.Equal(HttpStatusCode.Accepted, await SetAsync(app, "/config/v1/rules/ns", Group));
        Assert.Equal(HttpStatusCode.Accepted, (await app.SendAsync(HttpMethod.Post, "/config/v1/rules/other", new StringContent("name: b\nrules: []"), ("X-Scope-OrgID", "blue"))).Status);
        const string blue = "blue:\n  other:\n  - name: b\n    rules: []\n";
        Assert.Equal(blue + "team:\n  ns:\n  - name: api\n    rules:\n    - record: r\n      expr: vector(1)\n", (await app.GetAsync("/ruler/rule_groups")).Body);

        var (status, text) = await app.SendAsync(HttpMethod.Post, "/ruler/delete_tenant_config", null);
        Assert.Equal((HttpStatusCode.BadRequest, "the request names no tenant: say which in X-Scope-OrgID\n"), (status, text));
        Assert.Equal(HttpStatusCode.OK, (await app.SendAsync(HttpMethod.Post, "/ruler/delete_tenant_config", null, ("X-Scope-OrgID", "team"))).Status);
        Assert.Equal(blue, (await app.GetAsync("/ruler/rule_groups")).Body);
        Assert.Empty(await GroupsAsync(app, "", tenant: "team"));
    }

    [Fact]
    public async Task ASiloShowsTheRulesOfAllAndSaysWhoDoesNotAnswer()
    {
        var others = new FakeRuleCluster();
        await using var app = await StartAsync("groups: [{name: mine, interval: 1h, rules: [{record: r, expr: up}]}, {name: remote, interval: 1h, rules: [{alert: A, expr: up}]}]", others);
        await GroupsAsync(app, "", want: 2);
        Assert.Equal("mine: r, remote: A", string.Join(", ", Names(await GroupsAsync(app, "")).Split("; ")));
        Assert.Equal("remote: A", Names(await GroupsAsync(app, "?type=alert")));
        Assert.Equal("remote: A", Names(await GroupsAsync(app, "?rule_group[]=remote&rule_name[]=A")));

        var page = JsonDocument.Parse((await app.GetAsync("/api/v1/rules?group_limit=1")).Body).RootElement.GetProperty("data");
        Assert.Equal("mine: r", Names([.. page.GetProperty("groups").EnumerateArray()]));
        var next = JsonDocument.Parse((await app.GetAsync("/api/v1/rules?group_limit=1&group_next_token=" + page.GetProperty("groupNextToken").GetString())).Body).RootElement.GetProperty("data");
        Assert.Equal(("remote: A", false), (Names([.. next.GetProperty("groups").EnumerateArray()]), next.TryGetProperty("groupNextToken", out _)));

        var alerts = JsonDocument.Parse((await app.GetAsync("/api/v1/alerts")).Body).RootElement.GetProperty("data").GetProperty("alerts");
        Assert.Equal("A", alerts.EnumerateArray().Single().GetProperty("labels").GetProperty("alertname").GetString());
        var alertmanagers = JsonDocument.Parse((await app.GetAsync("/api/v1/alertmanagers")).Body).RootElement.GetProperty("data").GetProperty("activeAlertmanagers");
        Assert.Equal("http://am/", alertmanagers.EnumerateArray().Single().GetProperty("url").GetString());

        others.Failure = new IOException("silo n2 did not answer");
        var partial = JsonDocument.Parse((await app.GetAsync("/api/v1/rules")).Body).RootElement;
        Assert.Equal("mine: r", Names([.. partial.GetProperty("data").GetProperty("groups").EnumerateArray()]));
        Assert.Equal("rules evaluated by n2 are not shown: silo n2 did not answer", partial.GetProperty("warnings")[0].GetString());
    }

    [Fact]
    public async Task ASiloTakesWhatIsForItLetsGoWhatIsNotAndTellsOthersOfChanges()
    {
        var others = new FakeRuleCluster();
        await using var app = await StartAsync("groups: [{name: mine, interval: 1h, rules: [{record: r, expr: up}]}, {name: remote, interval: 1h, rules: [{alert: A, expr: up}]}]", others);
        others.Failure = new IOException("away");
        await UntilShownAsync(app, "mine: r");
        others.Evaluators = ["n1"];
        await UntilShownAsync(app, "mine: r; remote: A");
        others.Evaluators = ["n1", "n2"];
        await UntilShownAsync(app, "mine: r");

        Assert.Equal(HttpStatusCode.Accepted, await SetAsync(app, "/config/v1/rules/ns", Group));
        Assert.Empty(others.Reloaded);
        others.Failure = null;
        Assert.Equal(HttpStatusCode.Accepted, await SetAsync(app, "/config/v1/rules/ns", Group));
        Assert.Equal([TenantId.Parse("team")], others.Reloaded);
    }

    [Fact]
    public async Task GroupsBeyondTheLimitsOrInDisorderAreRefused()
    {
        await using var app = await GatewayApp.StartAsync(options => (options.Limits.RulerMaxRuleGroupsPerTenant, options.Limits.RulerMaxRulesPerRuleGroup) = (2, 2));
        async Task Refused(string body, string message)
        {
            var (status, text) = await app.SendAsync(HttpMethod.Post, "/config/v1/rules/ns", new StringContent(body), ("X-Scope-OrgID", "team"));
            Assert.Equal((HttpStatusCode.BadRequest, true), (status, text.Contains(message, StringComparison.Ordinal)));
        }

        await Refused("name: g\nrules:\n- {record: a, expr: up}\n- {record: b, expr: up}\n- {record: c, expr: up}", "(ruler_max_rules_per_rule_group: 2, actual: 3) exceeded by tenant team");
        await Refused("name: g\nrules:\n- {record: a, expr: sum(}", "could not parse expression");
        await Refused("name: g\nnonsense: 1", "field nonsense not found");
        await Refused("", "no rule group in the body");
        await Refused("name: g\nsource_tenants: [team, other]\nrules: []", "source_tenants other than the own tenant need rules.federation");
        Assert.Equal(HttpStatusCode.Accepted, await SetAsync(app, "/config/v1/rules/ns", Group));
        Assert.Equal(HttpStatusCode.Accepted, await SetAsync(app, "/config/v1/rules/ns", Group.Replace("name: api", "name: two")));
        await Refused(Group.Replace("name: api", "name: three"), "(ruler_max_rule_groups_per_tenant: 2, actual: 3) exceeded by tenant team");
        Assert.Equal(HttpStatusCode.Accepted, await SetAsync(app, "/config/v1/rules/ns", Group));
    }

    [Fact]
    public async Task ReloadReadsTheFilesAgainAndAMistakeLeavesTheRules()
    {
        await using var app = await StartAsync("groups: [{name: a, interval: 1h, rules: [{record: r, expr: up}]}]");
        await GroupsAsync(app, "", want: 1);
        Write("groups: [{name: b, interval: 1h, rules: [{record: r, expr: up}]}]");
        Assert.Equal(HttpStatusCode.OK, (await app.SendAsync(HttpMethod.Post, "/-/reload", null)).Status);
        Assert.Equal("b: r", Names(await GroupsAsync(app, "")));
        Write("groups: [{name: c, rules: [{record: r, expr: sum(}]}]");
        var (status, text) = await app.SendAsync(HttpMethod.Post, "/-/reload", null);
        Assert.Equal((HttpStatusCode.InternalServerError, true), (status, text.Contains("could not parse expression", StringComparison.Ordinal)));
        Assert.Equal("b: r", Names(await GroupsAsync(app, "")));
    }

    [Theory]
    [InlineData("alertmanagers", "localhost:9093")]
    [InlineData("external_labels", "novalue")]
    [InlineData("alerting_config", "/nonexistent.yml")]
    public async Task ABadSettingIsRefused(string key, string value)
    {
        var failure = await Assert.ThrowsAsync<ConfigurationException>(() => GatewayApp.StartAsync(options =>
            SettingCatalog.All.Single(s => s.Key == "rules." + key).Set(options, [value], key)));
        Assert.Contains(value, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARuleFileInDisorderStopsTheStart()
    {
        var failure = await Assert.ThrowsAsync<ConfigurationException>(() => StartAsync("groups: [{name: a, rules: [{record: r, expr: sum(}]}]"));
        Assert.Contains("could not parse expression", failure.Message, StringComparison.Ordinal);
    }

    /// <summary>Two owners of one group: the one that was overtaken stops at its next save.</summary>
    [Fact]
    public async Task AnOwnerThatWasOvertakenMayNotSave()
    {
        var store = new MemoryObjectStore(TimeProvider.System);
        var tenant = TenantId.Parse("team");
        var first = new RuleObjects(store, tenant);
        var second = new RuleObjects(store, tenant);
        static GroupState At(long tick) => new(tick, [], []);
        await first.SaveAsync("f;g", At(1), CancellationToken.None);
        await first.SaveAsync("f;g", At(2), CancellationToken.None);
        Assert.Equal(2, (await second.LoadAsync("f;g", CancellationToken.None))!.LastTickMs);
        await second.SaveAsync("f;g", At(3), CancellationToken.None);
        await Assert.ThrowsAsync<OperationCanceledException>(async () => await first.SaveAsync("f;g", At(3), CancellationToken.None));
        Assert.Equal(3, (await new RuleObjects(store, tenant).LoadAsync("f;g", CancellationToken.None))!.LastTickMs);
        await Assert.ThrowsAsync<OperationCanceledException>(async () => await new RuleObjects(store, tenant).SaveAsync("f;g", At(2), CancellationToken.None));
        await second.RemoveAsync("f;g", CancellationToken.None);
        Assert.Null(await first.LoadAsync("f;g", CancellationToken.None));
    }

    private static async Task<HttpStatusCode> SetAsync(GatewayApp app, string path, string group) =>
        (await app.SendAsync(HttpMethod.Post, path, new StringContent(group, Encoding.UTF8, "application/yaml"), ("X-Scope-OrgID", "team"))).Status;

    private static string Names(IEnumerable<JsonElement> groups) => string.Join("; ", groups.Select(g =>
        $"{g.GetProperty("name").GetString()}: {string.Join(' ', g.GetProperty("rules").EnumerateArray().Select(r => r.GetProperty("name").GetString()))}"));

    /// <summary>The groups shown; waits until there are as many as wanted, since files are loaded behind the start.</summary>
    private static async Task<List<JsonElement>> GroupsAsync(GatewayApp app, string query, int want = 0, string tenant = "default")
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            var (status, body) = await app.GetAsync("/api/v1/rules" + query, ("X-Scope-OrgID", tenant));
            Assert.Equal(HttpStatusCode.OK, status);
            var groups = JsonDocument.Parse(body).RootElement.GetProperty("data").GetProperty("groups").EnumerateArray().ToList();
            if (groups.Count >= want)
            {
                return groups;
            }

            await Task.Yield();
            patience.Token.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Waits until just these groups are shown.</summary>
    private static async Task UntilShownAsync(GatewayApp app, string names)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (Names(await GroupsAsync(app, "")) is var shown && shown != names)
        {
            await Task.Yield();
            Assert.False(patience.IsCancellationRequested, $"want {names}, got {shown}");
        }
    }

    private Task<GatewayApp> StartAsync(string rules, IRuleCluster? sharing = null)
    {
        Write(rules);
        return GatewayApp.StartAsync(options => options.Rules.Files = [Path.Combine(folder, "*.yml")], rules: sharing);
    }

    private void Write(string rules) => File.WriteAllText(Path.Combine(folder, "rules.yml"), rules);
}
