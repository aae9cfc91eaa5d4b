using Metrics.Gateway.Limits;

namespace Metrics.Gateway.Configuration;

/// <summary>All settings of the single process and of a silo. A property is a section of the configuration file.</summary>
public sealed class GatewayOptions
{
    /// <summary>The network edge.</summary>
    public HttpOptions Http { get; } = new();

    /// <summary>Whose data a request is about.</summary>
    public TenancyOptions Tenancy { get; } = new();

    /// <summary>Who may call, and how.</summary>
    public SecurityOptions Security { get; } = new();

    /// <summary>What each tenant may ask, unless the overrides file says otherwise. Others take their place when the file of settings is read again.</summary>
    public TenantLimits Limits { get; internal set; } = new();

    /// <summary>What a remote write may be.</summary>
    public RemoteWriteOptions RemoteWrite { get; } = new();

    /// <summary>How OTLP metrics become series.</summary>
    public Otlp.OtlpOptions Otlp { get; } = new();

    /// <summary>How points of InfluxDB's line protocol become series.</summary>
    public Influx.InfluxOptions Influx { get; } = new();

    /// <summary>Pairs of senders that send the same.</summary>
    public HaDedup.HaDedupOptions HaDedup { get; } = new();

    /// <summary>Rules that change the labels of series before they are stored.</summary>
    public Relabelling.RelabellingOptions Relabelling { get; } = new();

    /// <summary>What a query may cost.</summary>
    public QueryOptions Query { get; } = new();

    /// <summary>How queries are split, kept and logged.</summary>
    public FrontEndOptions FrontEnd { get; } = new();

    /// <summary>Where data lies and how.</summary>
    public LocalStorageOptions Storage { get; } = new();

    /// <summary>Where blocks go for long.</summary>
    public ArchiveSettings Archive { get; } = new();

    /// <summary>Which rules are evaluated, and where their alerts go.</summary>
    public RulesOptions Rules { get; } = new();

    /// <summary>How a silo is part of its cluster.</summary>
    public ClusterSettings Cluster { get; } = new();

    /// <summary>What the process tells about itself.</summary>
    public TelemetryOptions Telemetry { get; } = new();
}
