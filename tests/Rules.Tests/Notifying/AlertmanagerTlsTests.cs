using System.Net.Http.Headers;
using System.Text;
using Metrics.Model;
using Metrics.Rules.Notifying;
using Metrics.Rules.Tests.Fakes;
using Metrics.Testing;
using Xunit;

namespace Metrics.Rules.Tests.Notifying;

/// <summary>A real Alertmanager that asks for TLS, a client's certificate and basic authentication. (It knows no bearer tokens; those are shown to be sent in <see cref="NotifierTests"/>.)</summary>
[Trait("Category", "Peers")]
public sealed class AlertmanagerTlsTests : IAsyncLifetime, IDisposable
{
    private const string Configuration = "route: {receiver: none}\nreceivers: [{name: none}]\n";
    private const string Password = "secret";

    // bcrypt of the password, cost 4.
    private const string PasswordHash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

    private readonly CertificateFolder certificates = new();
    private RealAlertmanager? alertmanager;

    public async Task InitializeAsync()
    {
        certificates.Sign("am.example");
        certificates.Sign("client");
        var client = new HttpClient(certificates.Connect("am.example", "client"));
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"alice:{Password}")));
        alertmanager = await RealAlertmanager.StartAsync(
            Configuration,
            $"""
            tls_server_config:
              cert_file: {certificates.Path("am.example.pem")}
              key_file: {certificates.Path("am.example.key")}
              client_auth_type: RequireAndVerifyClientCert
              client_ca_file: {certificates.Path("ca.pem")}
            basic_auth_users:
              alice: {PasswordHash}
            """,
            client);
    }

    public async Task DisposeAsync() => await alertmanager!.DisposeAsync();

    public void Dispose() => certificates.Dispose();

    [Theory]
    [InlineData("ca_file: <ca>, cert_file: <cert>, key_file: <key>", "username: alice, password: secret")]
    [InlineData("ca_file: <ca>, cert_file: <cert>, key_file: <key>, server_name: am.example", "username: alice, password_file: <password>")]
    [InlineData("insecure_skip_verify: true, cert_file: <cert>, key_file: <key>", "username: alice, password: secret")]
    public async Task AlertsGetThroughWithTheRightPapers(string tls, string basic)
    {
        Assert.Null(await SendAsync(tls, basic));
        Assert.Equal(["Secure"], await alertmanager!.AlertsAsync());
    }

    [Theory]
    [InlineData("ca_file: <ca>, cert_file: <cert>, key_file: <key>", "username: alice, password: wrong", "401")]
    [InlineData("ca_file: <ca>, cert_file: <cert>, key_file: <key>, server_name: other.example", "username: alice, password: secret", "SSL connection could not be established")]
    [InlineData("cert_file: <cert>, key_file: <key>", "username: alice, password: secret", "SSL connection could not be established")]
    [InlineData("ca_file: <ca>", "username: alice, password: secret", "")]
    public async Task NothingGetsThroughWithTheWrongOnes(string tls, string basic, string why)
    {
        Assert.Contains(why, await SendAsync(tls, basic) ?? "(nothing went wrong)", StringComparison.Ordinal);
        Assert.Empty(await alertmanager!.AlertsAsync());
    }

    /// <summary>A URL alone: basic authentication in it, and the system's certificates, which do not know this one.</summary>
    [Fact]
    public async Task ACertificateOfAnUnknownAuthorityIsNotTrusted()
    {
        var set = AlertmanagerUrl.Parse($"https://alice:{Password}@{alertmanager!.Address}");
        Assert.Equal("Basic " + Convert.ToBase64String("alice:secret"u8), set.Authorization!());
        Assert.Contains("SSL connection could not be established", await SendAsync(new NotifierOptions { Sets = [set] }), StringComparison.Ordinal);
    }

    private async Task<string?> SendAsync(string tls, string basic)
    {
        await File.WriteAllTextAsync(certificates.Path("password"), Password + "\n");
        var yaml = $"alertmanagers: [{{scheme: https, static_configs: [{{targets: ['{alertmanager!.Address}']}}], tls_config: {{{tls}}}, basic_auth: {{{basic}}}}}]"
            .Replace("<ca>", certificates.Path("ca.pem")).Replace("<cert>", certificates.Path("client.pem"))
            .Replace("<key>", certificates.Path("client.key")).Replace("<password>", certificates.Path("password"));
        return await SendAsync(AlertingConfigReader.Read(yaml, Labels.Empty));
    }

    /// <summary>Sends an alert; gives what went wrong, or null.</summary>
    private static async Task<string?> SendAsync(NotifierOptions options)
    {
        await using var notifier = new AlertmanagerNotifier(options, TimeProvider.System);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        notifier.Send([new AlertNotification(Labels.Of(("alertname", "Secure")), [], now, now + 240_000, "http://m/")]);
        await NotifierTests.Until(() => notifier.Alertmanagers[0].Counters is { Sent: 1 } or { Errors: 1 });
        await NotifierTests.Until(() => notifier.Alertmanagers[0].Counters.Sent == 1 || notifier.Alertmanagers[0].LastError is not null);
        return notifier.Alertmanagers[0].LastError;
    }
}
