namespace Metrics.Silo;

/// <summary>What the silo logs.</summary>
internal static partial class SiloLog
{
    [LoggerMessage(Level = LogLevel.Information, Message = "{Text}")]
    public static partial void NodeReport(this ILogger logger, string text);

    [LoggerMessage(Level = LogLevel.Information, Message = "joined cluster {Name} with node \"{Node}\"; {Factor} replicas of each log")]
    public static partial void Joined(this ILogger logger, string name, string node, int factor);

    [LoggerMessage(Level = LogLevel.Error, Message = "the silo did not stop in order: {Problem}")]
    public static partial void NotStopped(this ILogger logger, string problem);
}
