using Metrics.Model;
using Metrics.Rules.Relabelling;

namespace Metrics.Rules.Notifying;

/// <summary>Where alerts go. Defaults are Prometheus's.</summary>
public sealed record NotifierOptions
{
    /// <summary>The sets of Alertmanagers; every Alertmanager of every set gets every alert.</summary>
    public IReadOnlyList<AlertmanagerSetOptions> Sets { get; init; } = [];

    /// <summary>Labels that alerts get when they lack them.</summary>
    public Labels ExternalLabels { get; init; } = Labels.Empty;

    /// <summary>What becomes of alerts before they are sent anywhere.</summary>
    public IReadOnlyList<RelabelRule> AlertRelabelling { get; init; } = [];

    /// <summary>The most alerts that wait for one Alertmanager; beyond, the oldest are dropped.</summary>
    public int QueueCapacity { get; init; } = 10_000;

    /// <summary>The most alerts in one request.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>How long the queues are worked off when the notifier stops.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>Alertmanagers that are reached in the same way.</summary>
public sealed record AlertmanagerSetOptions
{
    /// <summary><c>http</c> or <c>https</c>.</summary>
    public string Scheme { get; init; } = "http";

    /// <summary>What precedes <c>/api/v2/alerts</c>.</summary>
    public string PathPrefix { get; init; } = "";

    /// <summary>The longest a request may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Addresses as <c>host:port</c>.</summary>
    public IReadOnlyList<string> Targets { get; init; } = [];

    /// <summary>Names that are looked up again and again.</summary>
    public IReadOnlyList<DnsName> DnsNames { get; init; } = [];

    /// <summary>What becomes of the addresses; <c>__address__</c>, <c>__scheme__</c> and <c>__alerts_path__</c> make up the URL.</summary>
    public IReadOnlyList<RelabelRule> TargetRelabelling { get; init; } = [];

    /// <summary>What becomes of alerts before they are sent to this set.</summary>
    public IReadOnlyList<RelabelRule> AlertRelabelling { get; init; } = [];

    /// <summary>The value of the Authorization header, or null.</summary>
    public Func<string>? Authorization { get; init; }

    /// <summary>How the token is got that is shown instead; null for none.</summary>
    public OAuth2Options? OAuth2 { get; init; }

    /// <summary>How TLS is done.</summary>
    public TlsOptions Tls { get; init; } = new();
}

/// <summary>A name to look up.</summary>
/// <param name="Name">The name.</param>
/// <param name="Type">SRV (which gives ports), A or AAAA.</param>
/// <param name="Port">The port for A and AAAA.</param>
/// <param name="Refresh">How often.</param>
public sealed record DnsName(string Name, DnsRecordType Type, int Port, TimeSpan Refresh)
{
    /// <summary>True to go on from names to all their addresses, of both families, as Thanos and Mimir do for <c>dns+</c> and <c>dnssrv+</c>.</summary>
    public bool ResolvesTargets { get; init; }
}

/// <summary>The kind of records.</summary>
public enum DnsRecordType
{
    /// <summary>Hosts with ports.</summary>
    Srv,

    /// <summary>IPv4 addresses.</summary>
    A,

    /// <summary>IPv6 addresses.</summary>
    Aaaa,
}

/// <summary>How TLS is done; empty means as the system does.</summary>
/// <param name="CaFile">Certificates (PEM) that are trusted instead of the system's.</param>
/// <param name="CertFile">The client's certificate (PEM).</param>
/// <param name="KeyFile">The client's key (PEM).</param>
/// <param name="ServerName">The name that the server's certificate must bear, when it is not the address.</param>
/// <param name="SkipsVerification">True to trust any server.</param>
public sealed record TlsOptions(string CaFile = "", string CertFile = "", string KeyFile = "", string ServerName = "", bool SkipsVerification = false);
