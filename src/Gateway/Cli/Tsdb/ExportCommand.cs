using System.CommandLine;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary><c>tsdb export</c>: blocks for other programs.</summary>
internal static class ExportCommand
{
    private const string OpenMetrics = "openmetrics";
    private const string Prometheus = "prometheus";

    /// <summary>Builds the command.</summary>
    public static Command Build(TextWriter output, TextWriter error)
    {
        var place = TsdbCommands.Place();
        var to = new Option<string?>("--output", "-o")
        {
            Description = "Where to: a new or empty folder for prometheus; a file for openmetrics, standard output when not given.",
            HelpName = "PATH",
        };
        var format = new Option<string>("--format") { Description = "openmetrics: text, floats only; prometheus: a data directory that prometheus starts on.", DefaultValueFactory = _ => OpenMetrics };
        format.AcceptOnlyFromAmong(OpenMetrics, Prometheus);
        var match = TsdbCommands.Match();
        var (min, max) = TsdbCommands.Times();
        var command = new Command("export", "Writes blocks as OpenMetrics text or as a Prometheus data directory.") { place, to, format, match, min, max };
        command.SetAction((parsed, stop) => Task.FromResult(TsdbCommands.Run(error, () =>
        {
            var selections = TsdbCommands.Selections(parsed.GetValue(match)!);
            var range = new TimeRange(parsed.GetValue(min), parsed.GetValue(max));
            using var open = OpenBlocks.Open(parsed.GetRequiredValue(place));
            return parsed.GetValue(format) == Prometheus
                ? ExportBlocks(open, selections, range, parsed.GetValue(to), output, stop)
                : ExportText(open, selections, range, parsed.GetValue(to), output, error, stop);
        })));
        return command;
    }

    private static int ExportText(
        OpenBlocks open, IReadOnlyList<IReadOnlyList<Matcher>> selections, TimeRange range, string? path, TextWriter output, TextWriter error, CancellationToken stop)
    {
        using var file = path is null ? null : new StreamWriter(new FileStream(path, FileMode.CreateNew, FileAccess.Write));
        using var walk = new SeriesWalk(open.Blocks, selections, range);
        long leftOut;
        using (var lines = new SampleLines(file ?? output))
        {
            while (walk.MoveNext())
            {
                stop.ThrowIfCancellationRequested();
                lines.OpenMetrics(walk.Labels, walk.Samples);
            }

            lines.Line("# EOF");
            leftOut = lines.HistogramsLeftOut;
        }

        if (leftOut > 0)
        {
            error.WriteLine($"metrics: {leftOut} native histograms have no form in OpenMetrics and were left out; --format {Prometheus} keeps them");
            return ExitCode.Failure;
        }

        return ExitCode.Ok;
    }

    private static int ExportBlocks(
        OpenBlocks open, IReadOnlyList<IReadOnlyList<Matcher>> selections, TimeRange range, string? folder, TextWriter output, CancellationToken stop)
    {
        if (folder is null)
        {
            throw new CommandException(ExitCode.Usage, $"--format {Prometheus} needs --output FOLDER");
        }

        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
        {
            throw new CommandException(ExitCode.Failure, $"{folder} is not empty");
        }

        // promtool takes a folder for a data directory only when it has a log.
        Directory.CreateDirectory(Path.Combine(folder, "wal"));
        foreach (var block in open.Blocks)
        {
            stop.ThrowIfCancellationRequested();
            if (block.Range.Overlaps(range) && BlockExtract.Write(block, selections, range, folder, stop) is { } meta)
            {
                output.WriteLine($"{meta.Ulid}: {meta.Stats.NumSeries} series, {meta.Stats.NumSamples} samples");
            }
        }

        return ExitCode.Ok;
    }
}
