using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.PromQL;

namespace Metrics.Gateway.Cli;

/// <summary>Opens the cluster of the single process.</summary>
internal static class LocalCluster
{
    /// <summary>Opens the data folder; replay may go on when this returns.</summary>
    /// <exception cref="IOException">The folder is locked or cannot be used.</exception>
    public static ValueTask<ICluster> OpenAsync(GatewayOptions options, EngineOptions engine, ILoggerFactory loggers, CancellationToken stop) =>
        throw new IOException($"no storage is linked into this build; {options.Storage.DataDir} stays untouched");
}
