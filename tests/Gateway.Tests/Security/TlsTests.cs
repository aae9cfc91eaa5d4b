using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Metrics.Gateway.Configuration;
using Metrics.Testing;
using Xunit;

#pragma warning disable MA0039 // The test's authority is in no store of this machine.

namespace Metrics.Gateway.Tests;

public class TlsTests
{
    [Fact]
    public async Task ACertificateThatIsRotatedIsShownToTheNextConnection()
    {
        using var authority = new Authority();
        string? folder = null;
        await using var app = await StartAsync(authority, (_, f) => folder = f);
        Assert.Equal("https", app.Address.Scheme);
        Assert.Equal("CN=first", await ShownAsync(app, SslProtocols.None));
        authority.Write(folder!, "server", "CN=second", CertificateUse.Server);
        await app.ReloadAsync();
        Assert.Equal("CN=second", await ShownAsync(app, SslProtocols.None));

        // What is wrong with the next one leaves this.
        File.WriteAllText(Path.Combine(folder!, "server.pem"), "nonsense");
        await Assert.ThrowsAsync<ConfigurationException>(app.ReloadAsync);
        Assert.Equal("CN=second", await ShownAsync(app, SslProtocols.None));
    }

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 1)]
    public async Task Http2IsAgreedOnWhereItIsOn(bool isOn, int version)
    {
        using var authority = new Authority();
        await using var app = await StartAsync(authority, (o, _) => (o.Http.Http2, o.Otlp.GrpcListen) = (isOn, "127.0.0.1:0"));
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = static (_, _, _, _) => true };
        using var client = new HttpClient(handler);
        foreach (var (address, want) in new[] { (app.Address, version), (app.GrpcAddress, 2) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address, "/-/healthy")) { Version = new Version(2, 0), VersionPolicy = HttpVersionPolicy.RequestVersionOrLower };
            using var answer = await client.SendAsync(request);
            Assert.Equal((200, want), ((int)answer.StatusCode, answer.Version.Major));
        }
    }

    [Fact]
    public async Task OldVersionsAreRefused()
    {
        using var authority = new Authority();
        await using var app = await StartAsync(authority, (o, _) => o.Security.MinTls = TlsVersion.Tls13);
        Assert.Equal("CN=first", await ShownAsync(app, SslProtocols.Tls13));
        await Assert.ThrowsAnyAsync<Exception>(() => ShownAsync(app, SslProtocols.Tls12));
    }

    [Theory]
    [InlineData("common_name", "a", "CN=a", 200)]
    [InlineData("common_name", "b", "CN=a", 403)]
    [InlineData("organization", "a", "O=a,CN=x", 200)]
    [InlineData("organizational_unit", "a", "OU=a,CN=x", 200)]
    [InlineData("organizational_unit", "a", "OU=a,OU=b,CN=x", 401)]
    [InlineData("organization", "a", "CN=a", 401)]
    [InlineData("organization", "a", "O=not/a/tenant,CN=x", 401)]
    [InlineData("common_name", "t", "CN=known", 200)]
    [InlineData("common_name", "known", "CN=known", 403)]
    public async Task AClientCertificateNamesItsTenant(string field, string tenant, string subject, int status)
    {
        using var authority = new Authority();
        await using var app = await StartAsync(authority, (o, folder) => Auth(o, folder, field), authority.Sign(subject, CertificateUse.Client));
        Assert.Equal(status, (await app.GetAsync("/api/v1/labels", ("X-Scope-OrgID", tenant))).Code);
    }

    [Fact]
    public async Task WithoutACertificateOneSaysOtherwiseWhoOneIsUnlessItIsRequired()
    {
        using var authority = new Authority();
        await using var optional = await StartAsync(authority, (o, folder) => Auth(o, folder, "common_name"));
        Assert.Equal(401, (await optional.GetAsync("/api/v1/labels")).Code);
        Assert.Equal(200, (await optional.GetAsync("/-/healthy")).Code);
        await using var required = await StartAsync(authority, (o, folder) =>
        {
            Auth(o, folder, "common_name");
            o.Security.RequireClientCert = true;
        });
        await Assert.ThrowsAsync<HttpRequestException>(() => required.GetAsync("/-/healthy"));
    }

    [Fact]
    public async Task ACertificateOfAnotherAuthorityIsRefused()
    {
        using var authority = new Authority();
        using var other = new Authority();
        await using var app = await StartAsync(authority, (o, folder) => Auth(o, folder, "common_name"), other.Sign("CN=a", CertificateUse.Client));
        await Assert.ThrowsAsync<HttpRequestException>(() => app.GetAsync("/api/v1/labels"));
    }

    [Fact]
    public async Task TheAuthorityOfClientsMayBeReplacedWhileTheServerRuns()
    {
        using var first = new Authority();
        using var second = new Authority();
        await using var app = await StartAsync(first, (o, folder) => Auth(o, folder, "common_name"), second.Sign("CN=a", CertificateUse.Client));
        await Assert.ThrowsAsync<HttpRequestException>(() => app.GetAsync("/api/v1/labels"));
        second.WriteOwn(Path.Combine(app.Folder, "ca.pem"));
        await app.ReloadAsync();
        Assert.Equal(200, (await app.GetAsync("/api/v1/labels")).Code);

        // No authority at all is a mistake, and leaves those that were.
        File.WriteAllText(Path.Combine(app.Folder, "ca.pem"), "");
        await Assert.ThrowsAsync<ConfigurationException>(app.ReloadAsync);
        Assert.Equal(200, (await app.GetAsync("/api/v1/labels")).Code);
    }

    private static void Auth(GatewayOptions options, string folder, string field)
    {
        options.Security.ClientCaFile = Path.Combine(folder, "ca.pem");
        options.Security.AuthFile = Path.Combine(folder, "auth.yml");
        File.WriteAllText(
            options.Security.AuthFile,
            $$"""
            identities: [{name: known, common_name: known, read: [t]}]
            certificates: {tenant_field: {{field}}, roles: [read]}
            """);
    }

    private static Task<RealGateway> StartAsync(Authority authority, Action<GatewayOptions, string> configure, X509Certificate2? client = null)
    {
        var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, shown, _, _) => shown?.Issuer == "CN=authority" };
        if (client is not null)
        {
            handler.ClientCertificateOptions = ClientCertificateOption.Manual;
            handler.ClientCertificates.Add(client);
        }

        return RealGateway.StartAsync(
            (o, folder) =>
            {
                authority.Write(folder, "server", "CN=first", CertificateUse.Server);
                authority.WriteOwn(Path.Combine(folder, "ca.pem"));
                o.Security.CertFile = Path.Combine(folder, "server.pem");
                o.Security.KeyFile = Path.Combine(folder, "server.key");
                configure(o, folder);
            },
            handler: handler);
    }

    private static async Task<string> ShownAsync(RealGateway app, SslProtocols version)
    {
        using var tcp = new System.Net.Sockets.TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, app.Address.Port);
        await using var tls = new SslStream(tcp.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "x", EnabledSslProtocols = version, RemoteCertificateValidationCallback = (_, shown, _, _) => shown?.Issuer == "CN=authority" });
        return tls.RemoteCertificate!.Subject;
    }
}
