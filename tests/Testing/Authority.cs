using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Metrics.Testing;

/// <summary>What a certificate is for (RFC 5280, 4.2.1.12).</summary>
[Flags]
public enum CertificateUse
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>To be shown by a server.</summary>
    Server = 1,

    /// <summary>To be shown by a client.</summary>
    Client = 2,

    /// <summary>Both.</summary>
    Both = Server | Client,
}

/// <summary>A certificate authority of a test's own, in no store of this machine. What it signs holds for about an hour, and for loopback.</summary>
public sealed class Authority : IDisposable
{
    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly DateTimeOffset now = TimeProvider.System.GetUtcNow();
    private readonly X509Certificate2 own;

    /// <summary>Makes one.</summary>
    public Authority()
    {
        var request = new CertificateRequest("CN=authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        own = request.CreateSelfSigned(now.AddHours(-1), now.AddHours(1));
    }

    /// <summary>Signs a certificate; it has its key with it.</summary>
    /// <param name="subject">For example <c>CN=a</c>.</param>
    /// <param name="use">What it is for.</param>
    /// <param name="host">A name of the host besides the loopback address; null for none.</param>
    public X509Certificate2 Sign(string subject, CertificateUse use = CertificateUse.Both, string? host = null)
    {
        using var made = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, made, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(Purposes(use), false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        if (host is not null)
        {
            names.AddDnsName(host);
        }

        request.CertificateExtensions.Add(names.Build());
        using var signed = request.Create(own, now.AddMinutes(-59), now.AddMinutes(59), RandomNumberGenerator.GetBytes(8));
        using var whole = signed.CopyWithPrivateKey(made);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null, X509KeyStorageFlags.Exportable);
    }

    /// <summary>Signs a certificate and writes <c>NAME.pem</c> and <c>NAME.key</c>.</summary>
    public void Write(string folder, string name, string subject, CertificateUse use = CertificateUse.Both, string? host = null)
    {
        using var made = Sign(subject, use, host);
        using var secret = made.GetECDsaPrivateKey()!;
        File.WriteAllText(Path.Combine(folder, name + ".key"), secret.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(Path.Combine(folder, name + ".pem"), made.ExportCertificatePem());
    }

    /// <summary>Writes its own certificate.</summary>
    public void WriteOwn(string path) => File.WriteAllText(path, own.ExportCertificatePem());

    /// <summary>Trusts it, and nobody else.</summary>
    public X509ChainPolicy Trust()
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.Add(own);
        return policy;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        own.Dispose();
        key.Dispose();
    }

    private static OidCollection Purposes(CertificateUse use)
    {
        var purposes = new OidCollection();
        if (use.HasFlag(CertificateUse.Server))
        {
            purposes.Add(new Oid("1.3.6.1.5.5.7.3.1"));
        }

        if (use.HasFlag(CertificateUse.Client))
        {
            purposes.Add(new Oid("1.3.6.1.5.5.7.3.2"));
        }

        return purposes;
    }
}
