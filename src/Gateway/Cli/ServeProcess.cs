using System.Runtime.InteropServices;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Server;
using Metrics.Gateway.Telemetry;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.Cli;

/// <summary>Opens the cluster; it may still replay when this returns. Fails with an <see cref="IOException"/> when the data folder is locked or cannot be used.</summary>
internal delegate ValueTask<ICluster> ClusterOpener(GatewayOptions options, EngineOptions engine, ILoggerFactory loggers, CancellationToken stop);

/// <summary>The life of the single process: open the data, listen, say so, wait for a signal, drain, flush, end.</summary>
internal static class ServeProcess
{
    /// <summary>Serves until SIGTERM, SIGINT or cancellation; returns the exit code.</summary>
    /// <exception cref="ConfigurationException">A setting is not allowed.</exception>
    /// <exception cref="IOException">The address is taken, or the data folder is locked or cannot be used.</exception>
    public static async Task<int> RunAsync(ConfigurationSource configuration, ClusterOpener open, TextWriter output, CancellationToken stop)
    {
        var options = configuration.Read();
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);

        var engineOptions = EngineOptionsOf(options);
        var engine = new QueryEngine(engineOptions);
        using var traces = Tracing.Start(options.Telemetry);
        using var loggers = LoggerFactory.Create(logging => Logging.Configure(logging, options.Telemetry));
        await using var cluster = await open(options, engineOptions, loggers, stopping.Token);
        await using var server = new GatewayServer(options, cluster, engineOptions, engine.ExecuteAsync, TimeProvider.System, logging => Logging.Configure(logging, options.Telemetry), configuration);
        using var onAsked = server.Shutdown.Asked.Register(stopping.Cancel);
        await server.StartAsync(stopping.Token);
        using var onHangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            _ = ReloadAsync(server, stopping.Token);
        });
        await SayHelloAsync(output, server.Address, options);

        await WaitAsync(stopping.Token);
        await output.WriteLineAsync("Stopping: no new requests, finishing those in flight.");
        await server.StopAsync(CancellationToken.None);
        await server.Shutdown.BeforeEndAsync();
        await cluster.DisposeAsync();
        await output.WriteLineAsync("Stopped: everything is on disk.");
        return ExitCode.Ok;

        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stopping.Cancel();
        }
    }

    private static async Task ReloadAsync(GatewayServer server, CancellationToken stop)
    {
        try
        {
            await server.ReloadAsync(stop);
        }
        catch (Exception e) when (e is ConfigurationException or OperationCanceledException or ObjectDisposedException)
        {
            // What is not in order is in the log already; the rest means that the process ends.
        }
    }

    /// <summary>The engine's options as the gateway's say.</summary>
    internal static EngineOptions EngineOptionsOf(GatewayOptions options)
    {
        var features = options.Query.EnableFeatures.ToHashSet(StringComparer.Ordinal);
        return new EngineOptions
        {
            Parsing = new ParseOptions
            {
                ExperimentalFunctions = features.Contains("promql-experimental-functions"),
                ExtendedRangeSelectors = features.Contains("promql-extended-range-selectors"),
                FillModifiers = features.Contains("promql-binop-fill-modifiers"),
            },
            LookbackMs = (long)options.Query.LookbackDelta.TotalMilliseconds,
            DefaultSubqueryStepMs = (long)options.Query.DefaultSubqueryStep.TotalMilliseconds,
            MaxSamples = options.Query.MaxSamples,
            Timeout = options.Query.Timeout,
            Memory = new QueryMemory(options.Query.MaxInflightBytes is { Bytes: > 0 } most ? most.Bytes : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 3, options.Query.MaxConcurrency),
            DelayedNameRemoval = features.Contains("promql-delayed-name-removal"),
            TypeAndUnitLabels = features.Contains("type-and-unit-labels"),
            UseStartTimestamps = features.Contains("use-start-timestamps"),
        };
    }

    private static async Task SayHelloAsync(TextWriter output, Uri address, GatewayOptions options)
    {
        var host = address.Authority.Replace("0.0.0.0", "127.0.0.1").Replace("[::]", "127.0.0.1");
        await output.WriteLineAsync(
            $$"""
            Metrics {{BuildVersion.Own}} listens on {{address.Authority}}; data lies in {{Path.GetFullPath(options.Storage.DataDir)}}

            Send samples, in prometheus.yml:
              remote_write: [{ url: "http://{{host}}/api/v1/write" }]
            Ask:
              curl 'http://{{host}}/api/v1/query?query=up'

            """);
        await output.FlushAsync(CancellationToken.None);
    }

    private static async Task WaitAsync(CancellationToken stop)
    {
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = stop.Register(stopped.SetResult);
        await stopped.Task;
    }
}
