using System.CommandLine;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary><c>tsdb convert</c>: blocks with their float chunks in another encoding.</summary>
internal static class ConvertCommand
{
    private const string Dense = "dense";
    private const string Xor = "xor";

    /// <summary>Builds the command.</summary>
    public static Command Build(TextWriter output, TextWriter error)
    {
        var folders = new Argument<string[]>("BLOCK-DIR") { Description = "Blocks, or folders of blocks.", Arity = ArgumentArity.OneOrMore };
        var encoding = new Option<string>("--encoding") { Description = "xor: what Prometheus and Thanos read; dense: ours, several times smaller.", Required = true };
        encoding.AcceptOnlyFromAmong(Xor, Dense);
        var to = new Option<string>("--output", "-o") { Description = "Where the new blocks go, each under its name; made if it is not there.", HelpName = "DIR", Required = true };
        var command = new Command("convert", "Copies blocks with their float chunks in another encoding; deletions are carried out.") { folders, encoding, to };
        command.SetAction((parsed, stop) => TsdbCommands.RunAsync(error, () =>
        {
            var floats = parsed.GetRequiredValue(encoding) == Dense ? ChunkEncoding.Dense : ChunkEncoding.Xor;
            var blocks = Find(parsed.GetRequiredValue(folders));
            return Task.FromResult(Convert(blocks, floats, parsed.GetRequiredValue(to), output, stop));
        }));
        return command;
    }

    private static List<string> Find(string[] folders)
    {
        var found = new List<string>();
        foreach (var folder in folders)
        {
            try
            {
                found.AddRange(BlockFolders.Find(folder));
            }
            catch (DirectoryNotFoundException e)
            {
                throw new CommandException(ExitCode.Failure, e.Message, e);
            }
        }

        return found.Count > 0 ? found : throw new CommandException(ExitCode.Failure, $"no block lies in {string.Join(", ", folders)}");
    }

    private static int Convert(List<string> folders, ChunkEncoding floats, string directory, TextWriter output, CancellationToken stop)
    {
        Directory.CreateDirectory(directory);
        foreach (var folder in folders)
        {
            stop.ThrowIfCancellationRequested();
            using var block = BlockReader.Open(folder);
            try
            {
                output.WriteLine(BlockConversion.Write(block, floats, directory, stop) is { } meta
                    ? $"{meta.Ulid}: {meta.Stats.NumSeries} series, {meta.Stats.NumSamples} samples, {block.Length} bytes before, {LengthOf(Path.Combine(directory, meta.Ulid.ToString()))} now"
                    : $"{block.Meta.Ulid}: left out, all its samples are deleted");
            }
            catch (IOException e)
            {
                throw new CommandException(ExitCode.Failure, e.Message, e);
            }
        }

        return ExitCode.Ok;
    }

    private static long LengthOf(string folder)
    {
        using var block = BlockReader.Open(folder);
        return block.Length;
    }
}
