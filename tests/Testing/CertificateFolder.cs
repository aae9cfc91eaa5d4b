using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Metrics.Rules.Tests.Fakes;

/// <summary>A certificate authority of the test's own, and what it signed, as PEM files in a temporary folder.</summary>
internal sealed class TestCertificates : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("rules-pki-");
    private readonly DateTimeOffset notBefore = TimeProvider.System.GetUtcNow().AddDays(-1);
    private readonly X509Certificate2 authority;

    public TestCertificates()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        authority = request.CreateSelfSigned(notBefore, notBefore.AddDays(3));
        File.WriteAllText(Path("ca.pem"), authority.ExportCertificatePem());
    }

    /// <summary>A file of the folder.</summary>
    public string Path(string name) => System.IO.Path.Combine(directory.FullName, name);

    /// <summary>Signs a certificate for loopback and a name, and writes <c>name.pem</c> and <c>name.key</c>.</summary>
    public void Sign(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
        using var signed = request.Create(authority, notBefore, notBefore.AddDays(2), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(Path(name + ".pem"), signed.ExportCertificatePem());
        File.WriteAllText(Path(name + ".key"), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>Connects to a server by the name of its certificate, as the client of one.</summary>
    public SocketsHttpHandler Connect(string server, string client)
    {
        var handler = new SocketsHttpHandler();
        handler.SslOptions.TargetHost = server;
        handler.SslOptions.ClientCertificates = [X509Certificate2.CreateFromPemFile(Path(client + ".pem"), Path(client + ".key"))];
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.Add(authority);
        return handler;
    }

    public void Dispose()
    {
        authority.Dispose();
        directory.Delete(recursive: true);
    }
}
