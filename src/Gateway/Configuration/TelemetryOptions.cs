namespace Metrics.Gateway.Configuration;

/// <summary>How log lines look.</summary>
public enum LogFormat
{
    /// <summary>One line of text a message.</summary>
    Text,

    /// <summary>One JSON object a message, its fields by name, with tenant and trace id.</summary>
    Json,
}

/// <summary>The least severe messages that are logged.</summary>
public enum LogVerbosity
{
    /// <summary>Everything, for looking for a fault.</summary>
    Debug,

    /// <summary>What happens.</summary>
    Information,

    /// <summary>What an operator should know.</summary>
    Warning,

    /// <summary>What failed.</summary>
    Error,
}

/// <summary>How traces travel.</summary>
public enum TraceProtocol
{
    /// <summary>OTLP over gRPC, port 4317 by custom.</summary>
    Grpc,

    /// <summary>OTLP as protobuf over HTTP, port 4318 by custom, to the path /v1/traces.</summary>
    Http,
}

/// <summary>What the process tells about itself: metrics, logs, traces.</summary>
public sealed class TelemetryOptions
{
    /// <summary>Tenants with series of their own in our metrics; 500 tenants times thirty families are a scrape of a megabyte.</summary>
    [Setting("Tenants told apart in /metrics, those with the most series; the rest are summed as other.", Min = "0", Max = "100000")]
    public int MaxTenants { get; set; } = 500;

    /// <summary>Text for people, JSON for machines.</summary>
    [Setting("How log lines look: text or json.")]
    public LogFormat LogFormat { get; set; } = LogFormat.Text;

    /// <summary>The least severe messages that are logged.</summary>
    [Setting("The least severe messages that are logged.")]
    public LogVerbosity LogLevel { get; set; } = LogVerbosity.Information;

    /// <summary>Where traces go; without it no span is ever made.</summary>
    [Setting("Where traces go by OTLP, e.g. http://127.0.0.1:4317; empty for nowhere.")]
    public string TracesEndpoint { get; set; } = "";

    /// <summary>How traces travel.</summary>
    [Setting("How traces travel: grpc or http.")]
    public TraceProtocol TracesProtocol { get; set; } = TraceProtocol.Grpc;

    /// <summary>How many requests make one that is traced, where the client has not decided: one in a hundred shows where time goes and costs nothing to speak of.</summary>
    [Setting("One of so many requests is traced, unless its client has decided.", Min = "1", Max = "1000000")]
    public int TracesOneIn { get; set; } = 100;
}
