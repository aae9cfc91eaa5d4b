namespace Metrics.Gateway.Cli;

/// <summary>Log messages of the single process's storage.</summary>
internal static partial class LocalClusterLog
{
    /// <summary>Something an operator should know: damage found, work that failed and will be tried again.</summary>
    [LoggerMessage(Level = LogLevel.Warning, Message = "{Text}")]
    public static partial void StorageReport(this ILogger logger, string text);
}
