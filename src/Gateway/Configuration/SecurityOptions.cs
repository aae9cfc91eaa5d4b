namespace Metrics.Gateway.Configuration;

/// <summary>Who may call, and how. Files are read again when they change (<c>http.watch_every</c>), on <c>/-/reload</c> and on SIGHUP; what is wrong with them leaves what was in force.</summary>
public sealed class SecurityOptions
{
    /// <summary>Identities, with their credentials, tenants and roles; none: nobody is asked who they are.</summary>
    [Setting("File of identities, tokens and their tenants and roles; empty: nobody is asked who they are.")]
    public string AuthFile { get; set; } = "";

    /// <summary>The server's certificate, in PEM, its chain after it; none: no TLS.</summary>
    [Setting("Certificate of the server, PEM, with its chain; empty for HTTP without TLS.")]
    public string CertFile { get; set; } = "";

    /// <summary>The key of the certificate, in PEM.</summary>
    [Setting("Key of the certificate, PEM.")]
    public string KeyFile { get; set; } = "";

    /// <summary>The authorities whose client certificates are taken, in PEM.</summary>
    [Setting("Authorities whose client certificates are accepted, PEM; empty for none.")]
    public string ClientCaFile { get; set; } = "";

    /// <summary>Refuses connections without a client certificate. Off: whoever has none says otherwise who they are.</summary>
    [Setting("Refuse connections without a client certificate.")]
    public bool RequireClientCert { get; set; }

    /// <summary>The oldest TLS; 1.2 is what Go and .NET begin with.</summary>
    [Setting("The oldest TLS version accepted.")]
    public TlsVersion MinTls { get; set; } = TlsVersion.Tls12;
}

/// <summary>Versions of TLS.</summary>
public enum TlsVersion
{
    /// <summary>TLS 1.2, RFC 5246.</summary>
    Tls12,

    /// <summary>TLS 1.3, RFC 8446.</summary>
    Tls13,
}
