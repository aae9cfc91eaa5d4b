namespace Metrics.Gateway.Configuration;

internal sealed partial class ConfigurationReload
{
    [LoggerMessage(Level = LogLevel.Information, Message = "configuration read again: {Part}")]
    private partial void LogReloaded(string part);

    [LoggerMessage(Level = LogLevel.Error, Message = "configuration of {Part} is not in order, what was in force stays: {Reason}")]
    private partial void LogRefused(string part, string reason);
}
