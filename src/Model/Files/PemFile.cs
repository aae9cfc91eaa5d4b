using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Metrics.Model;

/// <summary>Certificates, keys and authorities in PEM, from files that an operator names. Each call reads the files.</summary>
/// <remarks>Whatever is wrong with a file is an <see cref="IOException"/> whose message begins with its path.</remarks>
public static class PemFile
{
    /// <summary>The use of certificates that servers show (RFC 5280, 4.2.1.12).</summary>
    public const string ForServers = "1.3.6.1.5.5.7.3.1";

    /// <summary>The use of certificates that clients show.</summary>
    public const string ForClients = "1.3.6.1.5.5.7.3.2";

    /// <summary>A certificate, the first of its file, with its key.</summary>
    /// <exception cref="IOException">A file can't be read or holds no such thing, or the key is another's.</exception>
    public static X509Certificate2 Certificate(string certFile, string keyFile) => Read($"{certFile}, {keyFile}", () => X509Certificate2.CreateFromPemFile(certFile, keyFile));

    /// <summary>The same for handshakes: with those that stand behind it in the file, which lead to an authority.</summary>
    /// <exception cref="IOException">A file can't be read or holds no such thing, or the key is another's.</exception>
    public static SslStreamCertificateContext Chain(string certFile, string keyFile)
    {
        var own = Certificate(certFile, keyFile);
        return Read(certFile, () =>
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(certFile);
            return SslStreamCertificateContext.Create(own, chain, offline: true);
        });
    }

    /// <summary>Trusts the authorities of a file and nobody else. Lists of revoked certificates are not asked for: an authority of one's own has none.</summary>
    /// <param name="caFile">One authority or more.</param>
    /// <param name="use">What a certificate must be for, when it says what it is for; null for anything.</param>
    /// <exception cref="IOException">The file can't be read, or there is none in it.</exception>
    public static X509ChainPolicy Authorities(string caFile, string? use = null)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        Read(caFile, () =>
        {
            policy.CustomTrustStore.ImportFromPemFile(caFile);
            return policy.CustomTrustStore.Count > 0 ? policy : throw new CryptographicException("there is no certificate in it");
        });
        if (use is not null)
        {
            policy.ApplicationPolicy.Add(new Oid(use));
        }

        return policy;
    }

    private static T Read<T>(string files, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new IOException($"{files}: {e.Message}", e);
        }
    }
}
