using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Metrics.Gateway.Configuration;
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
        authority.WriteServer(folder!, "second");
        await app.ReloadAsync();
        Assert.Equal("CN=second", await ShownAsync(app, SslProtocols.None));

        // What is wrong with the next one leaves this.
        File.WriteAllText(Path.Combine(folder!, "server.pem"), "nonsense");
        await Assert.ThrowsAsync<ConfigurationException>(app.ReloadAsync);
        Assert.Equal("CN=second", await ShownAsync(app, SslProtocols.None));
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
        await using var app = await StartAsync(authority, (o, folder) => Auth(o, folder, field), authority.Client(subject));
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
        await using var app = await StartAsync(authority, (o, folder) => Auth(o, folder, "common_name"), other.Client("CN=a"));
        await Assert.ThrowsAsync<HttpRequestException>(() => app.GetAsync("/api/v1/labels"));
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
                authority.WriteServer(folder, "first");
                File.WriteAllText(Path.Combine(folder, "ca.pem"), authority.Pem);
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

    /// <summary>An authority that signs certificates of servers and clients.</summary>
    private sealed class Authority : IDisposable
    {
        private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        private readonly X509Certificate2 own;
        private byte serial = 1;

        public Authority()
        {
            var request = new CertificateRequest("CN=authority", key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            own = request.CreateSelfSigned(From, To);
        }

        public string Pem => own.ExportCertificatePem();

        private static DateTimeOffset From => TimeProvider.System.GetUtcNow().AddHours(-1);

        private static DateTimeOffset To => TimeProvider.System.GetUtcNow().AddHours(1);

        public void WriteServer(string folder, string name)
        {
            using var made = Sign("CN=" + name, "1.3.6.1.5.5.7.3.1");
            File.WriteAllText(Path.Combine(folder, "server.pem"), made.ExportCertificatePem());
            using var secret = made.GetECDsaPrivateKey()!;
            File.WriteAllText(Path.Combine(folder, "server.key"), secret.ExportPkcs8PrivateKeyPem());
        }

        public X509Certificate2 Client(string subject)
        {
            using var made = Sign(subject, "1.3.6.1.5.5.7.3.2");
            return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        }

        public void Dispose()
        {
            own.Dispose();
            key.Dispose();
        }

        private X509Certificate2 Sign(string subject, string purpose)
        {
            using var made = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest(subject, made, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(purpose)], false));
            using var signed = request.Create(own, From.AddMinutes(1), To.AddMinutes(-1), [serial++]);
            return signed.CopyWithPrivateKey(made);
        }
    }
}
