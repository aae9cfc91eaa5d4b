using System.Text.Json;
using Metrics.Rules.Notifying;
using Metrics.Rules.Tests.Fakes;
using Xunit;

namespace Metrics.Rules.Tests.Notifying;

/// <summary>A real Alertmanager takes, groups and resolves what our rules send.</summary>
[Trait("Category", "Peers")]
public sealed class AlertmanagerTests
{
    [Fact]
    public async Task AnAlertmanagerReceivesGroupsAndResolves()
    {
        await using var alertmanager = await RealAlertmanager.StartAsync("route: {receiver: none, group_by: [service]}\nreceivers: [{name: none}]\n");
        await SendAndCheckAsync(alertmanager.Http, alertmanager.Address);
    }

    private static async Task SendAndCheckAsync(HttpClient http, string address)
    {
        // Ticks are moments of real time, because the Alertmanager has a clock of its own.
        var start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - 120_000;
        await using var notifier = new AlertmanagerNotifier(new NotifierOptions { Sets = [new() { Targets = [address] }] }, TimeProvider.System);
        var lab = new RuleLab("load 30s\n  errors{service=\"a\",pod=\"1\"} 5 5 5 0\n  errors{service=\"a\",pod=\"2\"} 5 5 5 5\n  errors{service=\"b\",pod=\"3\"} 5 5 5 5", startMs: start);
        var group = new Metrics.Rules.Groups.RuleGroup("f", RuleLab.File("""
            groups:
            - name: g
              interval: 30s
              rules:
              - alert: Errors
                expr: errors > 1
                for: 30s
                labels: {severity: page}
                annotations: {summary: 'pod {{ $labels.pod }} has {{ $value }}'}
            """).Groups[0], lab.Services with { Notifier = notifier });
        await lab.RunAsync(group, start, start, 30_000);
        Assert.Equal("", await AlertsAsync(http));
        await lab.RunAsync(group, start + 30_000, start + 30_000, 30_000);
        await RealAlertmanager.UntilAsync(async () => await AlertsAsync(http) == "1 pod 1 has 5; 2 pod 2 has 5; 3 pod 3 has 5");
        using (var groups = JsonDocument.Parse(await http.GetStringAsync("/api/v2/alerts/groups")))
        {
            Assert.Equal(
                ["a: 2", "b: 1"],
                groups.RootElement.EnumerateArray().Select(g => $"{g.GetProperty("labels").GetProperty("service").GetString()}: {g.GetProperty("alerts").GetArrayLength()}").Order());
        }

        await lab.RunAsync(group, start + 60_000, start + 90_000, 30_000);
        await RealAlertmanager.UntilAsync(async () => await AlertsAsync(http) == "2 pod 2 has 5; 3 pod 3 has 5");
        Assert.All(notifier.Alertmanagers, a => Assert.Equal((0, 0), (a.Counters.Errors, a.Counters.Dropped)));
    }

    private static async Task<string> AlertsAsync(HttpClient http)
    {
        using var alerts = JsonDocument.Parse(await http.GetStringAsync("/api/v2/alerts?active=true"));
        return string.Join("; ", alerts.RootElement.EnumerateArray()
            .Select(a => $"{a.GetProperty("labels").GetProperty("pod").GetString()} {a.GetProperty("annotations").GetProperty("summary").GetString()}").Order(StringComparer.Ordinal));
    }
}
