using System.Reflection;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Security;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>What one tenant does is neither seen nor felt by another, and what another has is never seen, whatever is asked.</summary>
public class IsolationTests
{
    private const string Secret = "topsecret";

    // Written so that no request holds the secret itself: whatever brings it back has it from the other's data.
    private static readonly string[] queries =
    [
        "{__name__=~\"top.*\"}", "{__name__=~\".+\"}", "count by (__name__) ({__name__!=\"\"})", "{__tenant_id__=\"victim\",__name__!=\"\"}", "{__tenant_id__=~\".*\",__name__=~\"top.+\"}",
        "group by (top) ({__tenant_id__!=\"a\",__name__!=\"\"})", "label_replace({__name__=~\"top.*\"}, \"x\", \"$1\", \"__name__\", \"(.*)\")", "absent({__name__=~\"top.*\"})", "info({__name__!=\"\"})", "m", "((",
        "count_values(\"v\", {__name__!=\"\",X_Scope_OrgID=\"victim\"})", "{__name__!=\"\"}[1h]", "ALERTS", "{team=\"victim\",__name__=~\".+\"}",
    ];

    private static readonly string[] tenants = ["victim", "a|victim", "victim|a", "__all__", "*", ".*", "a,victim", "a victim", "victim/", "../victim", "VICTIM", "a|", "|", "a|*", "", "a", "a|a", "vic%74im", "victim;a"];

    private static readonly string[] names = ["__tenant_id__", "__name__", "top", "team", "x", "U__top", "..", "victim", "%2e%2e", "a%2fb"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task NothingThatAMemberAsksReturnsChangesOrRevealsWhatIsAnothers(int seed)
    {
        var random = new Random(seed);
        WatchedCluster? watched = null;
        await using var app = await StartAsync(cluster => (ICluster)(object)(watched = WatchedCluster.Over(cluster)));
        var before = await DumpAsync(app);
        Assert.Contains(Secret, before);
        Assert.Contains("victim", watched!.Asked);
        watched.Asked.Clear();

        // Every route at least twice, however many there are.
        var routes = app.Routes.Concat(app.Routes).Where(static r => r.Handler != "notifications_live").ToList(); // That answer has no end.
        for (var i = 0; i < Math.Max(400, routes.Count); i++)
        {
            var attack = Attack.Next(random, i < routes.Count ? [routes[i]] : routes);
            var answer = await SendAsync(app, attack, "victim");
            var what = $"seed {seed}, request {i}: {attack} was answered {answer.Code}";
            Assert.False((answer.Body + answer.Headers).Contains(Secret, StringComparison.OrdinalIgnoreCase), $"{what}: {answer.Body}");
            Assert.True(answer.Code < 500, $"{what}: {answer.Body}");

            // What the member has deleted of its own is not there a second time.
            if (attack.Method == "DELETE" && answer.Code == 202)
            {
                continue;
            }

            // One that does not exist is answered the same; with success, too, as far as it does not depend on the moment.
            var other = await SendAsync(app, attack, "nobody");
            Assert.True(answer.Code == other.Code, $"{what}, and for one that is not there {other.Code}: {answer.Body} / {other.Body}");
            Assert.True(answer.Code is < 400 or 429 || At(answer.Body, "nobody") == other.Body, $"{what}: {answer.Body} / {other.Body}");
        }

        // Nor can its existence be told by how long an answer takes: nobody so much as looks whether it is there.
        Assert.DoesNotContain("victim", watched.Asked);
        Assert.DoesNotContain("nobody", watched.Asked);

        Assert.Equal(before, await DumpAsync(app));
        Assert.Equal(["a", "victim"], app.Cluster.Tenants.Select(t => t.Id.Value).Order());
        Assert.DoesNotContain(Secret, app.Log);
    }

    [Fact]
    public async Task EveryRouteThatIsNotForAdministratorsSaysWhoMayCallIt()
    {
        await using var app = await StartAsync();
        string[] admin =
        [
            "/metrics", "/-/reload", "/ingester/flush", "/compactor/delete_tenant", "/compactor/delete_tenant_status", "/distributor/all_user_stats",
            "/api/v1/status/cluster", "/api/v1/status/config", "/api/v1/status/flags", "/api/v1/status/self_metrics", "/ruler/rule_groups", "/ruler/delete_tenant_config",
            "/config", "/runtime_config", "/services", "/memberlist", "/-/quit", "/ingester/shutdown", "/ingester/prepare-shutdown", "/ingester/prepare-downscale",
        ];
        Assert.Equal([], app.Routes.Where(r => r.Access == RouteAccess.Admin && !r.Path.StartsWith("/api/v1/admin/", StringComparison.Ordinal)).Select(r => r.Path).Except(admin));
        Assert.Equal(["/", "/-/healthy", "/-/ready", "/ready"], app.Routes.Where(r => r.Access == RouteAccess.Open).Select(r => r.Path).Order(StringComparer.Ordinal));
        Assert.DoesNotContain(app.Routes, r => r.Path.StartsWith("/api/v1/admin/", StringComparison.Ordinal) && r.Access != RouteAccess.Admin);
    }

    private static async Task<RealGateway> StartAsync(Func<ICluster, ICluster>? through = null)
    {
        var app = await RealGateway.StartAsync((o, folder) =>
        {
            o.Tenancy.FromPath = true;
            o.Tenancy.LabelName = "team";
            o.Http.RoutePrefix = "/prometheus";
            o.Limits.CompactorBlockUploadEnabled = true;
            o.Security.AuthFile = Path.Combine(folder, "auth.yml");
            foreach (var who in new[] { "a", "victim", "admin" })
            {
                File.WriteAllText(Path.Combine(folder, who), "token-of-" + who);
            }

            File.WriteAllText(
                o.Security.AuthFile,
                $$"""
                identities:
                  - {name: a, token_file: {{folder}}/a, read: [a], write: [a]}
                  - {name: victim, token_file: {{folder}}/victim, read: [victim], write: [victim]}
                  - {name: admin, token_file: {{folder}}/admin, read: ["*"], write: ["*"], admin: true}
                """);
        }, through: through);
        (string, string) victim = ("Authorization", "Bearer token-of-victim"), a = ("Authorization", "Bearer token-of-a");
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        var message = WriteMessage.Of(
            [.. WriteMessage.Series($"__name__={Secret}_total,top={Secret},{Secret}_label=x", (now, 1)), .. WriteMessage.Field(3, [.. WriteMessage.Field(1, [.. WriteMessage.Field(1, "id"u8.ToArray()), .. WriteMessage.Field(2, Encoding.UTF8.GetBytes(Secret))]), 0x11, .. BitConverter.GetBytes(1.0), 0x18, .. WriteMessage.Number((ulong)now)])]);
        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/api/v1/write", RealGateway.Body([.. message, .. WriteMessage.Metadata(1, Secret + "_total", $"about {Secret}", "")]), victim)).Code);
        Assert.Equal(202, (await app.SendAsync(HttpMethod.Post, $"/config/v1/rules/{Secret}", new StringContent($"name: {Secret}\ninterval: 1d\nrules: [{{alert: {Secret}, expr: vector(1)}}]"), victim)).Code);
        Assert.Equal(204, (await app.WriteAsync([a], now, "__name__=m,x=y")).Code);
        return app;
    }

    /// <summary>All that the other tenant sees of its own.</summary>
    private static async Task<string> DumpAsync(RealGateway app)
    {
        (string, string) victim = ("Authorization", "Bearer token-of-victim");
        var all = new StringBuilder();
        foreach (var path in new[] { "query?query=count_over_time({__name__=~\".%2B\",__name__!~\"ALERTS.*\"}[1h])", "series?match[]={__name__=~\"top.*\"}", "label/top/values", "metadata", "query_exemplars?query={__name__=~\"top.*\"}" })
        {
            var body = (await app.GetAsync("/api/v1/" + path, victim)).Body;

            // The instant of an answer is no part of it.
            all.AppendLine(System.Text.RegularExpressions.Regex.Replace(body, "\"value\":\\[[0-9.]+,", "\"value\":[", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(1)));
        }

        return all.AppendLine((await app.GetAsync("/config/v1/rules", victim)).Body).ToString();
    }

    private static Task<RealGateway.Answer> SendAsync(RealGateway app, Attack attack, string target)
    {
        HttpContent? body = attack.Body switch
        {
            null => null,
            "write" => RealGateway.Body(WriteMessage.Of(WriteMessage.Series($"__name__=m,team={target},x=z", (TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(), 1)))),
            "own" => RealGateway.Body(WriteMessage.Of(WriteMessage.Series("__name__=m,__tenant_id__=b,x=z", (TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(), 1)))),
            "rule" => new StringContent("name: g\ninterval: 1d\nrules: [{record: r, expr: 'count({__name__=~\"top.*\"})'}]"),
            var form => new StringContent(At(form, target), Encoding.UTF8, "application/x-www-form-urlencoded"),
        };
        return app.SendAsync(new HttpMethod(attack.Method), At(attack.Path, target), body, [("Authorization", "Bearer token-of-a"), .. attack.Headers.Select(h => (h.Name, At(h.Value, target)))]);
    }

    /// <summary>A text that names the one tenant, naming another.</summary>
    private static string At(string text, string target) => target == "victim" ? text
        : text.Replace("victim", target, StringComparison.Ordinal).Replace("VICTIM", target.ToUpperInvariant(), StringComparison.Ordinal).Replace("vic%74im", "nob%6fdy", StringComparison.Ordinal);

    /// <summary>Passes everything on to a cluster, and notes which tenants it was asked for.</summary>
    public class WatchedCluster : DispatchProxy
    {
        private ICluster? cluster;

        public HashSet<string> Asked { get; } = new(StringComparer.Ordinal);

        public static WatchedCluster Over(ICluster cluster)
        {
            var made = (WatchedCluster)Create<ICluster, WatchedCluster>();
            made.cluster = cluster;
            return made;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            // Rules look at their own tenant whenever they are due.
            if (args is [TenantId tenant, ..] && !Environment.StackTrace.Contains("Metrics.Rules.", StringComparison.Ordinal))
            {
                lock (Asked)
                {
                    Asked.Add(tenant.Value);
                }
            }

            return targetMethod!.Invoke(cluster, BindingFlags.DoNotWrapExceptions, null, args, null);
        }
    }

    private sealed record Attack(string Method, string Path, string? Body, IReadOnlyList<(string Name, string Value)> Headers)
    {
        public static Attack Next(Random random, IReadOnlyList<Server.HttpRoute> routes)
        {
            T One<T>(IReadOnlyList<T> of) => of[random.Next(of.Count)];
            var route = One(routes);
            var path = route.Path.Replace("{name}", One(names), StringComparison.Ordinal).Replace("{*rest}", One(["n", "n/g", "top", "victim/g", "..%2fvictim", "01ARZ3NDEKTSV4RRFFQ69G5FAV/start", "01ARZ3NDEKTSV4RRFFQ69G5FAV/check", "..%2fvictim/finish"]), StringComparison.Ordinal);
            path = random.Next(8) switch
            {
                0 => "/victim" + path,
                1 => "/prometheus" + path,
                2 => "/a" + path,
                3 => One(["/%2f", "/victim/..", "/%2e%2e", "/prometheus/victim", "/__all__", "/victim%2f", "/a|victim"]) + path,
                _ => path,
            };
            var query = Uri.EscapeDataString(One(queries));
            var parameters = $"query={query}&match[]={query}&start={One(["0", "1", "-1e9"])}&end={One(["99999999999", "10"])}&step={One(["1e8", "15"])}&tenant={One(["victim", "a"])}&X-Scope-OrgID=victim&limit={random.Next(3)}&metric=top&wait=true";
            var method = random.Next(4) == 0 ? One(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH"]) : One(route.Methods);
            var body = method is "POST" or "PUT" ? One(["write", "own", "rule", parameters, null]) : null;
            var headers = new List<(string, string)>();
            foreach (var header in new[] { "X-Scope-OrgID", "THANOS-TENANT", "x-scope-orgid", "X-Forwarded-User", "Cookie", "Tenant" })
            {
                if (random.Next(3) == 0)
                {
                    headers.Add((header, One(tenants)));
                }
            }

            return new Attack(method, random.Next(4) == 0 ? path : $"{path}?{parameters}", body, headers);
        }
    }
}
