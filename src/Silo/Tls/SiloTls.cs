using System.Net.Security;
using System.Security.Authentication;
using Metrics.Gateway.Configuration;
using Metrics.Model;

namespace Metrics.Silo;

/// <summary>The certificate that this silo shows to others, and the authority that theirs must be of. The files are looked at with each connection, and read again when they have changed. Thread-safe.</summary>
/// <remarks>
/// Both ends show a certificate, and whoever has one of the authority is a silo: names are not compared, for silos come and go with addresses that nobody knows beforehand. So the authority should be this cluster's own.
/// Files that are not in order leave what was in force, and that is logged. Connections that are open go on as they are.
/// </remarks>
internal sealed class SiloTls
{
    private readonly string certFile;
    private readonly string keyFile;
    private readonly string caFile;
    private readonly ILogger logger;
    private readonly Lock gate = new();
    private Files seen;
    private Terms inForce;

    /// <summary>Reads the files.</summary>
    /// <exception cref="ConfigurationException">They are not in order.</exception>
    public SiloTls(ClusterSettings settings, ILogger logger)
    {
        (certFile, keyFile, caFile) = (settings.TlsCertFile, settings.TlsKeyFile, settings.TlsCaFile);
        this.logger = logger;
        try
        {
            seen = Look();
            inForce = Read();
        }
        catch (Exception e) when (IsOfFiles(e))
        {
            throw new ConfigurationException(Describe(e));
        }
    }

    /// <summary>What the next handshake goes by.</summary>
    public Terms InForce
    {
        get
        {
            lock (gate)
            {
                try
                {
                    var now = Look();
                    if (now != seen)
                    {
                        inForce = Read();
                        seen = now;
                        logger.TlsRead(certFile);
                    }
                }
                catch (Exception e) when (IsOfFiles(e))
                {
                    logger.TlsNotRead(Describe(e));
                }

                return inForce;
            }
        }
    }

    private string Describe(Exception problem) => $"cluster.tls_cert_file, cluster.tls_key_file, cluster.tls_ca_file: {problem.Message}";

    private static bool IsOfFiles(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>Their text, not their times: what a link points to changes without the link.</summary>
    private Files Look() => new(File.ReadAllText(certFile), File.ReadAllText(keyFile), File.ReadAllText(caFile));

    private Terms Read()
    {
        var own = PemFile.Chain(certFile, keyFile);
        return new Terms(
            new SslServerAuthenticationOptions
            {
                ServerCertificateContext = own,
                ClientCertificateRequired = true,
                CertificateChainPolicy = PemFile.Authorities(caFile, PemFile.ForClients),
                RemoteCertificateValidationCallback = static (_, shown, _, errors) => shown is not null && errors == SslPolicyErrors.None,
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            },
            new SslClientAuthenticationOptions
            {
                TargetHost = "",
                ClientCertificateContext = own,
                CertificateChainPolicy = PemFile.Authorities(caFile, PemFile.ForServers),
                RemoteCertificateValidationCallback = static (_, shown, _, errors) => shown is not null && (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None,
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            });
    }

    /// <summary>What handshakes go by.</summary>
    /// <param name="Server">Of connections that others open.</param>
    /// <param name="Client">Of those that this silo opens.</param>
    internal sealed record Terms(SslServerAuthenticationOptions Server, SslClientAuthenticationOptions Client);

    private sealed record Files(string Cert, string Key, string Ca);
}
