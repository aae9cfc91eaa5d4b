using Metrics.Gateway.Configuration;
using Microsoft.Extensions.Logging.Console;

namespace Metrics.Gateway.Telemetry;

/// <summary>What is logged, and how it looks.</summary>
internal static class Logging
{
    private const string Time = "yyyy-MM-ddTHH:mm:ss.fffZ ";

    /// <summary>Sets up logging to standard output.</summary>
    public static void Configure(ILoggingBuilder logging, TelemetryOptions options)
    {
        var least = options.LogLevel switch
        {
            LogVerbosity.Debug => LogLevel.Debug,
            LogVerbosity.Warning => LogLevel.Warning,
            LogVerbosity.Error => LogLevel.Error,
            _ => LogLevel.Information,
        };
        logging
            .SetMinimumLevel(least)
            .AddFilter("Microsoft", least > LogLevel.Warning ? least : LogLevel.Warning)
            .AddFilter("Orleans", LogLevel.Error) // Its warnings are of connections that fail, page by page; who is gone and what was moved is said by Metrics.Grains.
            .AddFilter("Metrics.Grains.SiloService", least > LogLevel.Warning ? least : LogLevel.Warning)
            .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None); // what it says, the command line says in one line
        if (options.LogFormat == LogFormat.Json)
        {
            // The tenant is a tag of the request's activity (RequestSpan), so that it costs nothing where nothing is logged.
            logging.Configure(static factory => factory.ActivityTrackingOptions = ActivityTrackingOptions.TraceId | ActivityTrackingOptions.SpanId | ActivityTrackingOptions.Tags);
            logging.AddJsonConsole(static console =>
            {
                console.UseUtcTimestamp = true;
                console.TimestampFormat = Time.TrimEnd();
                console.IncludeScopes = true;
            });
            return;
        }

        logging.AddSimpleConsole(static console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = Time;
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        });
    }
}
