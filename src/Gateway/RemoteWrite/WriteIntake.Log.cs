namespace Metrics.Gateway.RemoteWrite;

internal sealed partial class WriteIntake
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "{Format} answered 503: {Reason}")]
    private static partial void LogUnavailable(ILogger logger, string format, string reason);
}
