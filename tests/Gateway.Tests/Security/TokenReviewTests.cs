using Metrics.Gateway.Configuration;
using Metrics.Gateway.Security;
using Metrics.Testing;
using Xunit;

namespace Metrics.Gateway.Tests;

public class TokenReviewTests
{
    [Theory]
    [InlineData("prometheus", "POST", "/api/v1/write", "a", 204)]
    [InlineData("prometheus", "POST", "/api/v1/write", "b", 204)]
    [InlineData("prometheus", "GET", "/api/v1/labels", "a", 403)]
    [InlineData("grafana", "GET", "/api/v1/labels", "a", 200)]
    [InlineData("grafana", "GET", "/api/v1/labels", "b", 403)]
    [InlineData("grafana", "POST", "/api/v1/write", "a", 403)]
    [InlineData("team", "GET", "/api/v1/labels", "team-x", 200)] // its namespace
    [InlineData("team", "GET", "/api/v1/labels", "a", 200)] // its group
    [InlineData("team", "GET", "/api/v1/labels", "b", 403)]
    [InlineData("jane", "GET", "/metrics", "", 200)]
    [InlineData("jane", "GET", "/api/v1/labels", "b", 200)]
    [InlineData("pretender", "GET", "/api/v1/labels", "a", 403)] // a user who is called almost as a service account
    [InlineData("unbound", "GET", "/api/v1/labels", "", 403)]
    [InlineData("unknown", "GET", "/api/v1/labels", "a", 401)]
    [InlineData("own", "GET", "/api/v1/labels", "a", 401)]
    public async Task AServiceAccountUserOrGroupMayWhatItIsBoundTo(string token, string method, string path, string tenant, int status)
    {
        await using var cluster = await Cluster.StartAsync();
        var body = path == "/api/v1/write" ? RealGateway.Body(WriteMessage.Of()) : null;
        (string, string)[] headers = [("Authorization", "Bearer " + token), .. tenant.Length == 0 ? Array.Empty<(string, string)>() : [("X-Scope-OrgID", tenant)]];
        Assert.Equal(status, (await cluster.App.SendAsync(new HttpMethod(method), path, body, headers)).Code);
    }

    [Fact]
    public async Task AnAnswerHoldsForItsTimeAndNoLonger()
    {
        await using var cluster = await Cluster.StartAsync();
        Assert.Equal(200, await cluster.AskAsync("grafana"));
        cluster.Api.Remove("grafana");
        cluster.Time.Move(TimeSpan.FromSeconds(59));
        Assert.Equal(200, await cluster.AskAsync("grafana"));
        Assert.Equal(1, cluster.Api.Reviews);
        cluster.Time.Move(TimeSpan.FromSeconds(2));
        Assert.Equal(401, await cluster.AskAsync("grafana"));
        Assert.Equal(401, await cluster.AskAsync("grafana"));
        Assert.Equal(2, cluster.Api.Reviews);

        // A refusal holds for a short time.
        cluster.Api.Add("grafana", "system:serviceaccount:monitoring:grafana");
        cluster.Time.Move(TimeSpan.FromSeconds(11));
        Assert.Equal(200, await cluster.AskAsync("grafana"));
    }

    [Fact]
    public async Task RequestsOfOneTokenWaitForOneAnswer()
    {
        await using var cluster = await Cluster.StartAsync();
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        cluster.Api.Gate = open.Task;
        var all = Enumerable.Range(0, 20).Select(_ => cluster.AskAsync("grafana")).ToArray();
        Assert.False(all[0].IsCompleted);
        open.SetResult();
        Assert.All(await Task.WhenAll(all), status => Assert.Equal(200, status));
        Assert.Equal(1, cluster.Api.Reviews);
    }

    [Theory]
    [InlineData(500, "")]
    [InlineData(403, "{}")]
    [InlineData(302, "")]
    [InlineData(201, "nonsense")]
    [InlineData(201, "[]")]
    [InlineData(201, "{}")]
    [InlineData(201, """{"status":{"authenticated":"yes"}}""")]
    [InlineData(201, """{"status":{"authenticated":true,"audiences":["metrics"]}}""")]
    public async Task WhenTheApiServerDoesNotSayNewTokensAre503AndKnownOnesGoOn(int status, string body)
    {
        await using var cluster = await Cluster.StartAsync();
        Assert.Equal(200, await cluster.AskAsync("grafana"));
        cluster.Api.Broken = (status, body);
        var refused = await cluster.App.GetAsync("/api/v1/labels", ("Authorization", "Bearer team"), ("X-Scope-OrgID", "a"));
        Assert.Equal(503, refused.Code);
        Assert.Equal(TimeSpan.FromSeconds(5), refused.RetryAfter);
        Assert.Contains("who calls can't be found out now: the Kubernetes API server https://127.0.0.1", refused.Body);
        Assert.Equal(200, await cluster.AskAsync("grafana"));
        cluster.Time.Move(TimeSpan.FromSeconds(61));
        Assert.Equal(503, await cluster.AskAsync("grafana"));
        cluster.Api.Broken = null;
        Assert.Equal(200, await cluster.AskAsync("grafana"));
        Assert.Equal(200, await cluster.AskAsync("team"));
        var own = (await cluster.App.GetAsync("/metrics", ("Authorization", "Bearer jane"))).Body;
        Assert.Contains("metrics_auth_token_reviews_total{result=\"known\"} 4", own);
        Assert.Contains("metrics_auth_token_reviews_total{result=\"unavailable\"} 2", own);
        Assert.Equal(2, cluster.App.Log.Split("token reviews again").Length);
        Assert.Equal(2, cluster.App.Log.Split("with 503; who calls").Length);
        Assert.DoesNotContain("grafana", cluster.App.Log);
    }

    [Fact]
    public async Task ATokenThatIsForSomebodyElseIsRefused()
    {
        await using var cluster = await Cluster.StartAsync();
        cluster.Api.Audience = "https://kubernetes.default.svc";
        Assert.Equal(401, await cluster.AskAsync("grafana"));
        cluster.Api.Audience = null;
        Assert.Equal(401, await cluster.AskAsync("team"));
    }

    [Fact]
    public async Task OurOwnTokenMayRotate()
    {
        await using var cluster = await Cluster.StartAsync();
        cluster.Api.OwnToken = "rotated";
        Assert.Equal(503, await cluster.AskAsync("grafana"));
        File.WriteAllText(Path.Combine(cluster.App.Folder, "own.token"), "rotated\n");
        Assert.Equal(200, await cluster.AskAsync("grafana"));
    }

    [Fact]
    public async Task AServerThatAnotherAuthorityHasSignedIsNotShownAToken()
    {
        using var other = new Authority();
        await using var cluster = await Cluster.StartAsync(other);
        Assert.Equal(503, await cluster.AskAsync("grafana"));
        Assert.Equal(0, cluster.Api.Reviews);
    }

    [Theory]
    [InlineData("{url: 'http://elsewhere.example'}", ":1: url: want an https URL")]
    [InlineData("{token_file: /nowhere/at/all}", ":1: token_file: Could not find")]
    [InlineData("{bindings: [{user: a, group: b}]}", ":1: a binding needs user, group or service_account, one of the three")]
    [InlineData("{bindings: [{read: [a]}]}", ":1: a binding needs user, group or service_account, one of the three")]
    [InlineData("{bindings: [{service_account: a}]}", ":1: service_account: got \"a\", want NAMESPACE/NAME or NAMESPACE/*")]
    [InlineData("{bindings: [{service_account: '*/a'}]}", ":1: service_account: got \"*/a\"")]
    [InlineData("{namespace_roles: [admin]}", ":1: namespace_roles: got \"admin\", want read or write")]
    [InlineData("{cache: 2h}", ":1: cache: got \"2h\"")]
    [InlineData("{cacert: x}", ":1: unknown key \"cacert\"; allowed are url, ")]
    public void MistakesNameLineAndKey(string section, string message)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "token_review: " + section);
            Assert.StartsWith(path + message, Assert.Throws<ConfigurationException>(() => AuthFile.Read(path)).Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>An API server that knows some tokens, and a gateway that asks it.</summary>
    private sealed class Cluster : IAsyncDisposable
    {
        public required KubernetesApiServer Api { get; init; }

        public required RealGateway App { get; init; }

        public required ManualTime Time { get; init; }

        public static async Task<Cluster> StartAsync(Authority? signedBy = null)
        {
            var authority = new Authority();
            var time = new ManualTime();
            var api = await KubernetesApiServer.StartAsync(signedBy ?? authority);
            api.Add("prometheus", "system:serviceaccount:monitoring:prometheus", "system:serviceaccounts", "system:serviceaccounts:monitoring");
            api.Add("grafana", "system:serviceaccount:monitoring:grafana");
            api.Add("team", "system:serviceaccount:team-x:any", "system:serviceaccounts", "team-a-readers");
            api.Add("pretender", "system:serviceaccount:monitoring:grafana:x");
            api.Add("unbound", "somebody");
            api.Add("jane", "jane@example.org", "system:authenticated");
            var app = await RealGateway.StartAsync(
                (o, folder) =>
                {
                    authority.WriteOwn(Path.Combine(folder, "ca.pem"));
                    File.WriteAllText(Path.Combine(folder, "own.token"), "own\n");
                    o.Security.AuthFile = Path.Combine(folder, "auth.yml");
                    File.WriteAllText(
                        o.Security.AuthFile,
                        $$"""
                        token_review:
                          url: {{api.Url}}
                          ca_file: {{folder}}/ca.pem
                          token_file: {{folder}}/own.token
                          audiences: [metrics]
                          cache: 1m
                          namespace_roles: [read]
                          bindings:
                            - {service_account: monitoring/prometheus, write: ["*"]}
                            - {service_account: monitoring/grafana, read: [a]}
                            - {group: team-a-readers, read: [a]}
                            - {user: jane@example.org, read: ["*"], admin: true}
                        """);
                },
                time);
            authority.Dispose();
            return new Cluster { Api = api, App = app, Time = time };
        }

        public async Task<int> AskAsync(string token) => (await App.GetAsync("/api/v1/labels", ("Authorization", "Bearer " + token), ("X-Scope-OrgID", "a"))).Code;

        public async ValueTask DisposeAsync()
        {
            await App.DisposeAsync();
            await Api.DisposeAsync();
        }
    }
}
