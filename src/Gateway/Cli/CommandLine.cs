using System.CommandLine;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.Cli;

/// <summary>The command line: which commands there are, and how errors end the program.</summary>
internal static class CommandLine
{
    /// <summary>Runs a command and tells the exit code; see <see cref="ExitCode"/>.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="open">Opens the cluster that <c>serve</c> serves.</param>
    /// <param name="output">What the user asked for.</param>
    /// <param name="error">What went wrong.</param>
    /// <param name="stop">Cancelled to stop the server, besides SIGTERM and SIGINT.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, ClusterOpener open, TextWriter output, TextWriter error, CancellationToken stop)
    {
        var root = new RootCommand("Metrics: a multi-tenant Prometheus backend. Remote write in, PromQL out.")
        {
            ServeCommand.Build(open, output),
            PromQLCommands.Build(output, error),
            Rules.RulesCommands.Build(output, error),
            Cluster.ClusterCommands.Build(output, error),
            Tsdb.TsdbCommands.Build(open, output, error),
            Migrate.MigrateCommand.Build(output, error),
            HashPasswordCommand.Build(Console.In, output),
        };
        foreach (var option in root.Options.OfType<VersionOption>())
        {
            option.Action = new PrintVersion(output);
        }

        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var mistake in parsed.Errors)
            {
                await error.WriteLineAsync($"metrics: {mistake.Message}");
            }

            await error.WriteLineAsync("metrics: see metrics --help");
            return ExitCode.Usage;
        }

        try
        {
            // Signals are the server's own business: it drains and then ends with 0.
            return await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, stop);
        }
        catch (ConfigurationException e)
        {
            await error.WriteLineAsync($"metrics: {e.Message}");
            return ExitCode.Usage;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DataDirectoryInUseException)
        {
            await error.WriteLineAsync($"metrics: {e.Message}");
            return ExitCode.Failure;
        }
    }

    private sealed class PrintVersion(TextWriter output) : System.CommandLine.Invocation.SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var revision = BuildVersion.Revision.Length == 0 ? "" : $" (revision {BuildVersion.Revision})";
            output.WriteLine($"metrics {BuildVersion.Own}{revision}, Prometheus API {BuildVersion.Prometheus}, .NET {Environment.Version}");
            return ExitCode.Ok;
        }
    }
}
