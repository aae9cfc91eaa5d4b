using System.Net;
using System.Text;
using System.Text.Json;
using Metrics.Model;
using Metrics.Rules.Notifying;
using Metrics.Rules.Tests.Fakes;
using Metrics.Testing;
using Xunit;

namespace Metrics.Rules.Tests.Notifying;

public sealed class NotifierTests
{
    private const long Now = 1_600_000_000_000;

    [Fact]
    public async Task EveryAlertmanagerOfEverySetGetsEveryAlert()
    {
        var server = new FakeAlertmanagers();
        var options = new NotifierOptions
        {
            Sets =
            [
                new() { Targets = ["a:9093", "b:9093"], PathPrefix = "/am/" },
                new() { Targets = ["c:443"], Scheme = "https" },
            ],
        };
        await using (var notifier = new AlertmanagerNotifier(options, new FakeTime(Now), connect: server.Connect))
        {
            notifier.Send([Alert("one"), Alert("two")]);
        }

        Assert.Equal(
            ["http://a:9093/am/api/v2/alerts", "http://b:9093/am/api/v2/alerts", "https://c/api/v2/alerts"],
            server.Requests.Select(r => r.Url).Order(StringComparer.Ordinal));
        Assert.All(server.Requests, r => Assert.Equal(["one", "two"], r.Names));
    }

    [Fact]
    public void ThePayloadIsWhatTheApiAsksFor()
    {
        var alert = new AlertNotification(
            Labels.Of(("alertname", "A"), ("x", "ä\"")), [new("summary", "s")], Now + 5, Now + 60_000, "http://m/graph?g0.expr=up&g0.tab=1");
        using var json = JsonDocument.Parse(AlertmanagerPayload.Write([alert, alert with { StartsAtMs = null }]));
        var first = json.RootElement[0];
        Assert.Equal("2020-09-13T12:26:40.005Z", first.GetProperty("startsAt").GetString());
        Assert.Equal("2020-09-13T12:27:40.000Z", first.GetProperty("endsAt").GetString());
        Assert.Equal("ä\"", first.GetProperty("labels").GetProperty("x").GetString());
        Assert.Equal("s", first.GetProperty("annotations").GetProperty("summary").GetString());
        Assert.Equal("http://m/graph?g0.expr=up&g0.tab=1", first.GetProperty("generatorURL").GetString());
        Assert.Equal("0001-01-01T00:00:00.000Z", json.RootElement[1].GetProperty("startsAt").GetString());
    }

    [Fact]
    public async Task AlertsGoInBatchesAndTheOldestAreDroppedWhenTooManyWait()
    {
        var server = new FakeAlertmanagers { Holds = true };
        var options = new NotifierOptions { Sets = [new() { Targets = ["a:1"] }], QueueCapacity = 10, BatchSize = 4 };
        AlertmanagerCounters counters;
        await using (var notifier = new AlertmanagerNotifier(options, TimeProvider.System, connect: server.Connect))
        {
            counters = notifier.Alertmanagers.Single().Counters;
            notifier.Send([Alert("first")]);
            await server.UntilRequestsAsync(1);
            notifier.Send([.. Enumerable.Range(0, 15).Select(i => Alert("n" + i))]);
            server.Release();
        }

        Assert.Equal([1, 4, 4, 2], server.Requests.Select(r => r.Names.Count));
        Assert.Equal(Enumerable.Range(5, 10).Select(i => "n" + i), server.Requests.Skip(1).SelectMany(r => r.Names));
        Assert.Equal((11, 5, 0), (counters.Sent, counters.Dropped, counters.Errors));
    }

    [Fact]
    public async Task ARefusedBatchIsGivenUpAndCounted()
    {
        var server = new FakeAlertmanagers { Status = HttpStatusCode.InternalServerError };
        AlertmanagerCounters counters;
        await using (var notifier = new AlertmanagerNotifier(new NotifierOptions { Sets = [new() { Targets = ["a:1"] }] }, TimeProvider.System, connect: server.Connect))
        {
            counters = notifier.Alertmanagers.Single().Counters;
            notifier.Send([Alert("one")]);
        }

        Assert.Equal((0, 1, 1), (counters.Sent, counters.Dropped, counters.Errors));
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task ARequestThatTakesTooLongIsGivenUp()
    {
        var server = new FakeAlertmanagers { Holds = true };
        var time = new FakeTime(Now);
        await using var notifier = new AlertmanagerNotifier(
            new NotifierOptions { Sets = [new() { Targets = ["a:1"], Timeout = TimeSpan.FromSeconds(3) }] }, time, connect: server.Connect);
        notifier.Send([Alert("one")]);
        await server.UntilRequestsAsync(1);
        await time.UntilTimersAsync(1);
        time.Advance(TimeSpan.FromSeconds(3));
        await Until(() => notifier.Alertmanagers.Single().Counters.Errors == 1);
        Assert.Equal("no answer within 00:00:03", notifier.Alertmanagers.Single().LastError);
    }

    [Fact]
    public async Task AlertsGetExternalLabelsAndAreRelabelled()
    {
        var server = new FakeAlertmanagers();
        var options = AlertingConfigReader.Read(
            """
            alert_relabel_configs:
            - {action: labeldrop, regex: 'replica|ruler_replica'}
            - {source_labels: [alertname], regex: quiet.*, action: drop}
            - {source_labels: [severity, team], separator: '/', regex: '(.+)/(.+)', target_label: route, replacement: '$2-${1}'}
            alertmanagers:
            - static_configs: [{targets: ['a:1']}]
            - static_configs: [{targets: ['b:1']}]
              alert_relabel_configs:
              - {source_labels: [severity], regex: page, action: keep}
            """,
            Labels.Of(("cluster", "eu"), ("replica", "0"), ("team", "infra")));
        await using (var notifier = new AlertmanagerNotifier(options, TimeProvider.System, connect: server.Connect))
        {
            notifier.Send([Alert("one", ("severity", "page"), ("team", "db")), Alert("two", ("severity", "info")), Alert("quiet-three")]);
        }

        var a = server.Requests.Single(r => r.Url.Contains("//a:", StringComparison.Ordinal));
        Assert.Equal(["one", "two"], a.Names);
        Assert.Equal("{alertname=\"one\", cluster=\"eu\", route=\"db-page\", severity=\"page\", team=\"db\"}", a.Labels[0].ToString());
        Assert.Equal("{alertname=\"two\", cluster=\"eu\", route=\"infra-info\", severity=\"info\", team=\"infra\"}", a.Labels[1].ToString());
        Assert.Equal(["one"], server.Requests.Single(r => r.Url.Contains("//b:", StringComparison.Ordinal)).Names);
    }

    [Theory]
    [InlineData("basic_auth: {username: u, password: p}", "Basic dTpw")]
    [InlineData("authorization: {credentials: abc}", "Bearer abc")]
    [InlineData("authorization: {type: Token, credentials: abc}", "Token abc")]
    [InlineData("bearer_token: xyz", "Bearer xyz")]
    public async Task RequestsAreAuthorized(string yaml, string want)
    {
        var server = new FakeAlertmanagers();
        var options = AlertingConfigReader.Read($"alertmanagers:\n- static_configs: [{{targets: ['a:1']}}]\n  {yaml}\n", Labels.Empty);
        await using (var notifier = new AlertmanagerNotifier(options, TimeProvider.System, connect: server.Connect))
        {
            notifier.Send([Alert("one")]);
        }

        Assert.Equal(want, server.Requests.Single().Authorization);
    }

    [Theory]
    [InlineData("alertmanager: []", "line 1: field alertmanager not found in type config.AlertingConfig")]
    [InlineData("alertmanagers:\n- scheme: ftp", "line 2: scheme \"ftp\"; allowed are http and https")]
    [InlineData("alertmanagers:\n- api_version: v1", "line 2: expected Alertmanager api version to be one of [v2] but got v1")]
    [InlineData("alertmanagers:\n- dns_sd_configs: [{names: [x], type: A}]", "line 2: a port is required in DNS-SD configs for all record types except SRV")]
    [InlineData("alertmanagers:\n- bearer_token: x\n  basic_auth: {username: u}", "line 3: at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must be configured")]
    [InlineData("alertmanagers:\n- bearer_token: x\n  oauth2: {client_id: a, token_url: 'http://t/'}", "line 3: at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must be configured")]
    [InlineData("alertmanagers:\n- oauth2: {client_id: a, token_url: t}", "line 2: oauth2 token_url \"t\"; wanted is a URL with http or https")]
    [InlineData("alertmanagers:\n- oauth2: {token_url: 'http://t/'}", "line 2: oauth2 client_id must be configured")]
    [InlineData("alert_relabel_configs:\n- {action: nosuch}", "line 2: unknown relabel action \"nosuch\"")]
    [InlineData("alert_relabel_configs:\n- {action: hashmod, target_label: x}", "line 2: relabel configuration for hashmod requires non-zero modulus")]
    [InlineData("alert_relabel_configs:\n- {action: labeldrop, regex: x, target_label: x}", "line 2: labeldrop action requires only 'regex', and no other fields")]
    [InlineData("alert_relabel_configs:\n- {source_labels: [x], regex: '(', action: drop}", "line 2: error parsing regexp: missing closing ): `(`")]
    public void AMistakeInTheConfigurationIsNamedWithItsLine(string yaml, string want) =>
        Assert.Equal(want, Assert.Throws<FormatException>(() => AlertingConfigReader.Read(yaml, Labels.Empty)).Message);

    [Fact]
    public async Task AddressesFromDnsComeAndGo()
    {
        var server = new FakeAlertmanagers();
        var time = new FakeTime(Now);
        var dns = new FakeDns { Answer = ["a:1", "b:1"] };
        var options = AlertingConfigReader.Read("alertmanagers:\n- dns_sd_configs: [{names: [am.example], refresh_interval: 30s}]\n  static_configs: [{targets: ['s:1']}]", Labels.Empty);
        var events = new KeptEvents();
        await using var notifier = new AlertmanagerNotifier(options, time, dns, events, server.Connect);
        async Task Expect(params string[] hosts)
        {
            await Until(() => notifier.Alertmanagers.Select(a => a.Url.Host).Order(StringComparer.Ordinal).SequenceEqual(hosts));
            await time.UntilTimersAsync(1);
        }

        await Expect("a", "b", "s");
        dns.Answer = ["b:1", "c:1"];
        time.Advance(TimeSpan.FromSeconds(30));
        await Expect("b", "c", "s");
        dns.Answer = null;
        time.Advance(TimeSpan.FromSeconds(30));
        await Until(() => events.All.Count == 1);
        await Expect("b", "c", "s");
        dns.Answer = [];
        time.Advance(TimeSpan.FromSeconds(30));
        await Expect("s");
    }

    internal static AlertNotification Alert(string name, params ReadOnlySpan<(string, string)> labels) =>
        new(Labels.Of([("alertname", name), .. labels]), [], Now, Now + 240_000, "http://m/");

    internal static async Task Until(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            await Task.Yield();
            patience.Token.ThrowIfCancellationRequested();
        }
    }

    private sealed class FakeDns : IDnsLookup
    {
        public volatile string[]? Answer;

        public ValueTask<IReadOnlyList<string>> ResolveAsync(DnsName name, CancellationToken cancellation) =>
            Answer is { } answer ? new(answer) : throw new IOException("no server answered");
    }

    private sealed record Request(string Url, IReadOnlyList<string> Names, IReadOnlyList<Labels> Labels, string? Authorization);

    private sealed class FakeAlertmanagers
    {
        private readonly TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<Request> Requests { get; } = [];

        public bool Holds { get; init; }

        public HttpStatusCode Status { get; init; } = HttpStatusCode.OK;

        public HttpMessageHandler Connect(AlertmanagerSetOptions set) => new Handler(this);

        public void Release() => released.SetResult();

        public Task UntilRequestsAsync(int count) => Until(() =>
        {
            lock (Requests)
            {
                return Requests.Count >= count;
            }
        });

        private sealed class Handler(FakeAlertmanagers server) : HttpMessageHandler
        {
            protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
            {
                Assert.Equal("application/json", request.Content!.Headers.ContentType!.MediaType);
                using var json = JsonDocument.Parse(Encoding.UTF8.GetString(await request.Content.ReadAsByteArrayAsync(cancellation)));
                var labels = json.RootElement.EnumerateArray()
                    .Select(a => Labels.Of([.. a.GetProperty("labels").EnumerateObject().Select(l => (l.Name, l.Value.GetString()!))])).ToList();
                lock (server.Requests)
                {
                    server.Requests.Add(new Request(
                        request.RequestUri!.ToString(), [.. labels.Select(l => l["alertname"])], labels,
                        request.Headers.TryGetValues("Authorization", out var values) ? values.Single() : null));
                }

                if (server.Holds)
                {
                    await server.released.Task.WaitAsync(cancellation);
                }

                return new HttpResponseMessage(server.Status);
            }
        }
    }
}
