using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Security;

/// <summary>The certificate that the server shows and the authorities that it takes clients' from; a new one holds from the next connection on. Thread-safe.</summary>
internal sealed class ServerTls
{
    private readonly SecurityOptions options;
    private readonly List<SslApplicationProtocol> protocols;
    private SslServerAuthenticationOptions inForce;

    /// <summary>Reads the files.</summary>
    /// <exception cref="ConfigurationException">They are not in order.</exception>
    public ServerTls(SecurityOptions options, bool http2)
    {
        this.options = options;
        protocols = http2 ? [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11] : [SslApplicationProtocol.Http11];
        inForce = Read();
    }

    /// <summary>What the next handshake goes by.</summary>
    public SslServerAuthenticationOptions InForce => Volatile.Read(ref inForce);

    /// <summary>The files that it comes from.</summary>
    public IReadOnlyList<string> Files => options.ClientCaFile.Length > 0 ? [options.CertFile, options.KeyFile, options.ClientCaFile] : [options.CertFile, options.KeyFile];

    /// <summary>Takes the files anew. Connections that are open go on as they are.</summary>
    /// <exception cref="ConfigurationException">They are not in order; what was in force stays.</exception>
    public void Reload() => Volatile.Write(ref inForce, Read());

    private SslServerAuthenticationOptions Read()
    {
        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(options.CertFile);
            var own = X509Certificate2.CreateFromPemFile(options.CertFile, options.KeyFile);
            var made = new SslServerAuthenticationOptions
            {
                ServerCertificateContext = SslStreamCertificateContext.Create(own, chain, offline: true),
                ApplicationProtocols = protocols,
                EnabledSslProtocols = Versions(options.MinTls),
            };
            if (options.ClientCaFile.Length > 0)
            {
                AskClients(made);
            }

            return made;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ConfigurationException($"security.cert_file {options.CertFile}, security.key_file {options.KeyFile}, security.client_ca_file {options.ClientCaFile}: {e.Message}");
        }
    }

    private void AskClients(SslServerAuthenticationOptions of)
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(options.ClientCaFile);
        if (authorities.Count == 0)
        {
            throw new CryptographicException("no certificate of a client authority");
        }

        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(authorities);
        policy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.2")); // RFC 5280, 4.2.1.12: for clients.
        var isRequired = options.RequireClientCert;
        of.ClientCertificateRequired = true;
        of.CertificateChainPolicy = policy;
        of.RemoteCertificateValidationCallback = (_, shown, _, errors) => shown is null ? !isRequired : errors == SslPolicyErrors.None;
    }

    private static SslProtocols Versions(TlsVersion min) => min == TlsVersion.Tls13 ? SslProtocols.Tls13 : SslProtocols.Tls12 | SslProtocols.Tls13;
}
