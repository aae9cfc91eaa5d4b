namespace Metrics.Gateway.RemoteWrite;

internal sealed partial class RemoteWriteEndpoint
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "write answered 503: {Reason}")]
    private partial void LogUnavailable(string reason);
}
