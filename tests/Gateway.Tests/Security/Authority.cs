using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Metrics.Gateway.Tests;

/// <summary>An authority that signs certificates of servers and clients.</summary>
internal sealed class Authority : IDisposable
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

    /// <summary>The certificate of a server on loopback.</summary>
    public X509Certificate2 Server() => Kept("CN=server", "1.3.6.1.5.5.7.3.1");

    /// <summary>The certificate of a client.</summary>
    public X509Certificate2 Client(string subject) => Kept(subject, "1.3.6.1.5.5.7.3.2");

    private X509Certificate2 Kept(string subject, string purpose)
    {
        using var made = Sign(subject, purpose);
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
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var signed = request.Create(own, From.AddMinutes(1), To.AddMinutes(-1), [serial++]);
        return signed.CopyWithPrivateKey(made);
    }
}
