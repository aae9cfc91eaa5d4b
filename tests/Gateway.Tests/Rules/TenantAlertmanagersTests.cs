using System.Net;
using Metrics.Gateway.Configuration;
using Xunit;

namespace Metrics.Gateway.Tests.Rules;

/// <summary>Alertmanagers of single tenants, from the file of <c>rules.overrides_file</c>.</summary>
public sealed class TenantAlertmanagersTests : IDisposable
{
    private const long Minute = 60_000;
    private const string Group = "name: g\ninterval: 1m\nrules: [{alert: A, expr: vector(1), labels: {of: TENANT}}]\n";

    private readonly string overrides = Path.GetTempFileName();

    public void Dispose() => File.Delete(overrides);

    [Fact]
    public async Task ATenantsAlertsGoToItsOwnAlertmanagersAndTheOthersToTheGeneralOnes()
    {
        await using var general = new AlertReceiver();
        await using var special = new AlertReceiver();
        await using var later = new AlertReceiver();
        await WriteAsync(special);
        await using var server = await RuleServer.StartAsync(options => (options.Rules.Alertmanagers, options.Rules.OverridesFile) = ([$"http://{general.Address}"], overrides));
        await server.SetAsync("a", Group.Replace("TENANT", "a"));
        await server.SetAsync("b", Group.Replace("TENANT", "b"));
        var tick = RuleServer.FirstTick("g", Minute);
        await server.Time.UntilDueAsync(tick, 2);
        await server.TickAsync("a", "g", tick);
        await server.TickAsync("b", "g", tick);
        await special.UntilAsync(1);
        await general.UntilAsync(1);
        Assert.Equal($"http://{special.Address}/api/v2/alerts", await UrlAsync(server, "a"));
        Assert.Equal($"http://{general.Address}/api/v2/alerts", await UrlAsync(server, "b"));
        var (_, metrics) = await server.SendAsync(HttpMethod.Get, "/metrics");
        Assert.Contains($"metrics_notifications_queue_length{{tenant=\"a\",alertmanager=\"http://{special.Address}/api/v2/alerts\"}} 0\n", metrics, StringComparison.Ordinal);

        // A mistake leaves everything; then the tenant's Alertmanager is another.
        await File.WriteAllTextAsync(overrides, "overrides: {a: {alerting: {nonsense: 1}}}");
        Assert.Equal(HttpStatusCode.InternalServerError, (await server.SendAsync(HttpMethod.Post, "/-/reload")).Status);
        Assert.Equal($"http://{special.Address}/api/v2/alerts", await UrlAsync(server, "a"));
        await WriteAsync(later);
        Assert.Equal(HttpStatusCode.OK, (await server.SendAsync(HttpMethod.Post, "/-/reload")).Status);
        Assert.Equal($"http://{later.Address}/api/v2/alerts", await UrlAsync(server, "a"));
        await server.Time.UntilDueAsync(tick + Minute, 2);
        await server.TickAsync("a", "g", tick + Minute);
        await server.TickAsync("b", "g", tick + Minute);
        await server.Time.UntilDueAsync(tick + (2 * Minute), 2);
        await server.TickAsync("a", "g", tick + (2 * Minute));
        await server.TickAsync("b", "g", tick + (2 * Minute));
        await later.UntilAsync(1);
        await general.UntilAsync(2);
        Assert.Equal(["a"], Tenants(special));
        Assert.Equal(["a"], Tenants(later));
        Assert.Equal(["b", "b"], Tenants(general));
    }

    [Fact]
    public async Task ACertificateThatCannotBeReadLeavesTheTenantsGroupsUnset()
    {
        await File.WriteAllTextAsync(overrides, "overrides: {a: {alerting: {alertmanagers: [{scheme: https, static_configs: [{targets: ['am:1']}], tls_config: {ca_file: /nonexistent.pem}}]}}}");
        await using var server = await RuleServer.StartAsync(options => options.Rules.OverridesFile = overrides);
        var (status, body) = await server.SetAsync("a", Group);
        Assert.Equal((HttpStatusCode.InternalServerError, true), (status, body.Contains("the Alertmanagers of tenant a: ", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.Accepted, (await server.SetAsync("b", Group)).Status);
    }

    [Theory]
    [InlineData("dns+am:9093")]
    [InlineData("dns+http://am:0")]
    public async Task AUrlThatIsNoneStopsTheStart(string url)
    {
        var failure = await Assert.ThrowsAsync<ConfigurationException>(() => RuleServer.StartAsync(options => options.Rules.Alertmanagers = [url]));
        Assert.StartsWith("rules.alertmanagers: dns+", failure.Message, StringComparison.Ordinal);
    }

    private static async Task<string?> UrlAsync(RuleServer server, string tenant) =>
        (await server.GetAsync(tenant, "/api/v1/alertmanagers")).GetProperty("activeAlertmanagers").EnumerateArray().Single().GetProperty("url").GetString();

    private static IEnumerable<string?> Tenants(AlertReceiver receiver) => receiver.Received.Select(r => r.GetProperty("labels").GetProperty("of").GetString());

    private Task WriteAsync(AlertReceiver to) =>
        File.WriteAllTextAsync(overrides, $"overrides:\n  a:\n    alerting:\n      alertmanagers:\n      - static_configs: [{{targets: ['{to.Address}']}}]\n");
}
