using System.CommandLine;
using Metrics.Cluster;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary><c>tsdb</c>: blocks on disk, without a server.</summary>
internal static class TsdbCommands
{
    /// <summary>Builds the commands.</summary>
    public static Command Build(ClusterOpener open, TextWriter output, TextWriter error) => new("tsdb", "Works with blocks on disk and in buckets.")
    {
        VerifyCommand.Build(output, error),
        ListCommand.Build(output, error),
        InspectCommand.Build(output, error),
        DumpCommand.Build(output, error),
        ExportCommand.Build(output, error),
        ConvertCommand.Build(output, error),
        ImportCommand.Build(open, output, error),
        UploadCommand.Build(output, error),
    };

    /// <summary>The option <c>--match</c>, which may be repeated.</summary>
    internal static Option<string[]> Match() => new("--match")
    {
        Description = "Only series that this selector matches; repeated, those that any of them matches.",
        HelpName = "SELECTOR",
        DefaultValueFactory = _ => [],
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary>The options that bound time, as promtool has them.</summary>
    internal static (Option<long> Min, Option<long> Max) Times() =>
        (new Option<long>("--min-time") { Description = "Only samples from this instant on, Unix milliseconds.", HelpName = "MS", DefaultValueFactory = _ => long.MinValue },
         new Option<long>("--max-time") { Description = "Only samples up to this instant, Unix milliseconds, inclusive.", HelpName = "MS", DefaultValueFactory = _ => long.MaxValue });

    /// <summary>The option <c>--json</c>.</summary>
    internal static Option<bool> Json() => new("--json") { Description = "Prints JSON." };

    /// <summary>Reads selectors.</summary>
    /// <exception cref="CommandException">One is no selector.</exception>
    internal static IReadOnlyList<IReadOnlyList<Matcher>> Selections(IEnumerable<string> selectors)
    {
        var read = new List<IReadOnlyList<Matcher>>();
        foreach (var selector in selectors)
        {
            try
            {
                read.Add(PromQLParser.ParseSelector(selector));
            }
            catch (PromQLParseException e)
            {
                throw new CommandException(ExitCode.Usage, $"--match: {e.Message}", e);
            }
        }

        return read;
    }

    /// <summary>Runs a command's work; what is wrong with arguments, files or blocks becomes a message and an exit code.</summary>
    internal static async Task<int> RunAsync(TextWriter error, Func<Task<int>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (e is CommandException or InvalidDataException or ShardUnavailableException or ObjectStoreConfigurationException)
        {
            return Tell(error, e);
        }
    }

    private static int Tell(TextWriter error, Exception problem)
    {
        error.WriteLine($"metrics: {problem.Message}");
        return problem is ObjectStoreConfigurationException ? ExitCode.Usage : (problem as CommandException)?.Code ?? ExitCode.Failure;
    }
}

/// <summary>A command cannot go on.</summary>
internal sealed class CommandException(int code, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>How the program ends; see <see cref="ExitCode"/>.</summary>
    public int Code { get; } = code;
}
