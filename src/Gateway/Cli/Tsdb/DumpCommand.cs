using System.CommandLine;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary><c>tsdb dump</c>: every sample as a line, as promtool prints them.</summary>
internal static class DumpCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Build(TextWriter output, TextWriter error)
    {
        var place = TsdbCommands.Place();
        var match = TsdbCommands.Match();
        var (min, max) = TsdbCommands.Times();
        var command = new Command("dump", "Prints samples, a line each: labels, value or histogram, Unix milliseconds. Blocks are read as one; a write-ahead log beside them is not.") { place, match, min, max };
        command.SetAction((parsed, stop) => Task.FromResult(TsdbCommands.Run(error, () =>
        {
            var selections = TsdbCommands.Selections(parsed.GetValue(match)!);
            using var open = OpenBlocks.Open(parsed.GetRequiredValue(place));
            using var walk = new SeriesWalk(open.Blocks, selections, new TimeRange(parsed.GetValue(min), parsed.GetValue(max)));
            using var lines = new SampleLines(output);
            while (walk.MoveNext())
            {
                stop.ThrowIfCancellationRequested();
                lines.Dump(walk.Labels, walk.Samples);
            }

            return ExitCode.Ok;
        })));
        return command;
    }
}
