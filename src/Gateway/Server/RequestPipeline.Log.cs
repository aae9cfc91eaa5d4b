namespace Metrics.Gateway.Server;

internal sealed partial class RequestPipeline
{
    [LoggerMessage(Level = LogLevel.Error, Message = "request for {Path} failed unexpectedly")]
    private partial void LogUnexpected(string path, Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "client closed the connection during the request for {Path}")]
    private partial void LogClientGone(string path);
}
