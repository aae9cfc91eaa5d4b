namespace Metrics.Gateway.Otlp;

internal sealed partial class OtlpEndpoint
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "OTLP write answered 503: {Reason}")]
    private partial void LogUnavailable(string reason);
}
