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

    [LoggerMessage(Level = LogLevel.Information, Message = "silos are shown the certificate that {File} has now")]
    public static partial void TlsRead(this ILogger logger, string file);

    [LoggerMessage(Level = LogLevel.Error, Message = "the certificate for other silos stays as it was: {Problem}")]
    public static partial void TlsNotRead(this ILogger logger, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "no TLS with {Remote}: {Problem}")]
    public static partial void TlsRefused(this ILogger logger, string remote, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Listen} takes connections of silos without TLS: whoever reaches it can read and change the data of every tenant; set cluster.tls_cert_file, or let only silos reach it")]
    public static partial void SilosInTheClear(this ILogger logger, string listen);
}
