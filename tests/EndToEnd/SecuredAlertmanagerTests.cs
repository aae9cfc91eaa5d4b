using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Metrics.EndToEnd.Programs;
using Metrics.Testing;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>The server and a real Alertmanager that asks for TLS, a client's certificate and a password (<c>--web.config.file</c>).</summary>
[Trait("Category", "Peers")]
public sealed class SecuredAlertmanagerTests : IDisposable
{
    private const string Password = "secret";

    // bcrypt of the password, cost 4.
    private const string PasswordHash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

    private readonly TemporaryDirectory directory = new();
    private readonly CertificateFolder certificates = new();

    public void Dispose()
    {
        certificates.Dispose();
        directory.Dispose();
    }

    [Fact]
    public async Task AlertsArriveOnceThePapersAreRight()
    {
        certificates.Sign("am.example");
        certificates.Sign("client");
        var port = FreePorts.Next();
        using var trusted = new HttpClient(certificates.Connect("am.example", "client")) { BaseAddress = new Uri($"https://127.0.0.1:{port}/") };
        trusted.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"alice:{Password}")));
        using var alertmanager = await StartAlertmanagerAsync(port, trusted);
        var (rules, alerting, password) = (directory.Sub("rules.yml"), directory.Sub("alerting.yml"), directory.Sub("password"));
        await File.WriteAllTextAsync(rules, "groups: [{name: g, interval: 1s, rules: [{alert: Secure, expr: vector(1)}]}]\n");
        await File.WriteAllTextAsync(password, "not it\n");
        await File.WriteAllTextAsync(alerting, $$"""
            alertmanagers:
            - scheme: https
              static_configs: [{targets: ['127.0.0.1:{{port}}']}]
              tls_config: {ca_file: {{certificates.Path("ca.pem")}}, cert_file: {{certificates.Path("client.pem")}}, key_file: {{certificates.Path("client.key")}}, server_name: am.example}
              basic_auth: {username: alice, password_file: {{password}}}

            """);
        using var ours = await MetricsServer.StartAsync(directory.Sub("ours"), "--rules-files", rules, "--rules-alerting-config", alerting, "--rules-resend-delay", "1s");

        await UntilAsync(async () => await MetricAsync(ours, "metrics_notifications_errors_total") > 0, ours);
        Assert.Empty(await AlertsAsync(trusted));
        Assert.Equal(0, await MetricAsync(ours, "metrics_notifications_sent_total"));

        await File.WriteAllTextAsync(password, Password + "\n");
        await UntilAsync(async () => (await AlertsAsync(trusted)).Count > 0, ours);

        Assert.Equal(["Secure"], await AlertsAsync(trusted));
        Assert.True(await MetricAsync(ours, "metrics_notifications_sent_total") > 0);
    }

    private async Task<RunningProgram> StartAlertmanagerAsync(int port, HttpClient trusted)
    {
        var (configuration, web) = (directory.Sub("am.yml"), directory.Sub("web.yml"));
        await File.WriteAllTextAsync(configuration, "route: {receiver: none}\nreceivers: [{name: none}]\n");
        await File.WriteAllTextAsync(web, $"""
            tls_server_config:
              cert_file: {certificates.Path("am.example.pem")}
              key_file: {certificates.Path("am.example.key")}
              client_auth_type: RequireAndVerifyClientCert
              client_ca_file: {certificates.Path("ca.pem")}
            basic_auth_users:
              alice: {PasswordHash}

            """);
        var alertmanager = RunningProgram.Start(
            "prometheus-alertmanager", $"--config.file={configuration}", $"--storage.path={directory.Sub("am")}", $"--web.listen-address=127.0.0.1:{port}", $"--web.config.file={web}", "--cluster.listen-address=");
        await alertmanager.WaitReadyAsync(trusted, new Uri(trusted.BaseAddress!, "-/ready"), TimeSpan.FromSeconds(30));
        return alertmanager;
    }

    private static async Task<IReadOnlyList<string>> AlertsAsync(HttpClient trusted)
    {
        using var answer = await trusted.GetAsync(new Uri("api/v2/alerts", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        using var alerts = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return [.. alerts.RootElement.EnumerateArray().Select(static a => a.GetProperty("labels").GetProperty("alertname").GetString()!)];
    }

    private static async Task<double> MetricAsync(MetricsServer server, string family)
    {
        var text = await server.Http.GetStringAsync(new Uri(server.Address, "metrics"));
        return text.Split('\n').Where(l => l.StartsWith(family + "{", StringComparison.Ordinal)).Sum(static l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, MetricsServer server)
    {
        var end = DateTime.UtcNow.AddSeconds(30);
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < end, server.Program.Output);
            await Task.Delay(100);
        }
    }
}
