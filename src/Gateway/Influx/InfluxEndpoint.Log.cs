namespace Metrics.Gateway.Influx;

internal sealed partial class InfluxEndpoint
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "Influx write answered 503: {Reason}")]
    private partial void LogUnavailable(string reason);
}
