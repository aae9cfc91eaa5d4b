using System.Security.Cryptography.X509Certificates;

namespace Metrics.Rules.Notifying;

/// <summary>Makes HTTP connections as a set of Alertmanagers wants them.</summary>
internal static class AlertmanagerConnection
{
    /// <summary>A handler with the set's TLS.</summary>
    /// <exception cref="IOException">A certificate can't be read.</exception>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A file holds no certificate or key.</exception>
    public static HttpMessageHandler Open(AlertmanagerSetOptions set)
    {
        var handler = new SocketsHttpHandler { AllowAutoRedirect = true, PooledConnectionLifetime = TimeSpan.FromMinutes(5) };
        var tls = set.Tls;
        if (tls.ServerName.Length > 0)
        {
            handler.SslOptions.TargetHost = tls.ServerName;
        }

        if (tls.CertFile.Length > 0)
        {
            handler.SslOptions.ClientCertificates = [X509Certificate2.CreateFromPemFile(tls.CertFile, tls.KeyFile)];
        }

        if (tls.SkipsVerification)
        {
            // The user asked for it by name.
#pragma warning disable CA5359
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (tls.CaFile.Length > 0)
        {
            var trusted = new X509Certificate2Collection();
            trusted.ImportFromPemFile(tls.CaFile);
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(trusted);
        }

        return handler;
    }
}
