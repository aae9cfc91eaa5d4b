using System.Net.Security;
using System.Security.Authentication;
using Metrics.Gateway.Configuration;
using Metrics.Model;

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
            var made = new SslServerAuthenticationOptions
            {
                ServerCertificateContext = PemFile.Chain(options.CertFile, options.KeyFile),
                ApplicationProtocols = protocols,
                EnabledSslProtocols = Versions(options.MinTls),
            };
            if (options.ClientCaFile.Length > 0)
            {
                AskClients(made);
            }

            return made;
        }
        catch (IOException e)
        {
            throw new ConfigurationException($"security.cert_file, security.key_file, security.client_ca_file: {e.Message}");
        }
    }

    private void AskClients(SslServerAuthenticationOptions of)
    {
        var isRequired = options.RequireClientCert;
        of.ClientCertificateRequired = true;
        of.CertificateChainPolicy = PemFile.Authorities(options.ClientCaFile, PemFile.ForClients);
        of.RemoteCertificateValidationCallback = (_, shown, _, errors) => shown is null ? !isRequired : errors == SslPolicyErrors.None;
    }

    private static SslProtocols Versions(TlsVersion min) => min == TlsVersion.Tls13 ? SslProtocols.Tls13 : SslProtocols.Tls12 | SslProtocols.Tls13;
}
