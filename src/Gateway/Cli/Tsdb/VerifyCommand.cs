using System.CommandLine;
using System.Text.Json;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary><c>tsdb verify</c>: is every byte of the blocks as it should be?</summary>
internal static class VerifyCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Build(TextWriter output, TextWriter error)
    {
        var place = TsdbCommands.Place();
        var json = TsdbCommands.Json();
        var command = new Command("verify", "Checks every checksum, order and cross-reference; prints file, offset and reason of each defect. Exit code 1 when there is one.") { place, json };
        command.SetAction((parsed, stop) => Task.FromResult(TsdbCommands.Run(error, () => Verify(parsed.GetRequiredValue(place), parsed.GetValue(json), output, stop))));
        return command;
    }

    private static int Verify(string place, bool json, TextWriter output, CancellationToken stop)
    {
        var damaged = 0;
        var folders = OpenBlocks.Folders(place);
        using var list = json ? new JsonLines(output) : null;
        foreach (var folder in folders)
        {
            var defects = BlockVerifier.Verify(folder, stop);
            damaged += defects.Count > 0 ? 1 : 0;
            if (list is null)
            {
                Print(folder, defects, output);
            }
            else
            {
                list.Add(to => Write(to, folder, defects));
            }
        }

        if (list is null)
        {
            output.WriteLine($"{folders.Count} blocks, {damaged} damaged");
        }

        return damaged == 0 ? ExitCode.Ok : ExitCode.Failure;
    }

    private static void Print(string folder, IReadOnlyList<BlockDefect> defects, TextWriter output)
    {
        if (defects.Count == 0)
        {
            output.WriteLine($"{folder}: ok");
            return;
        }

        foreach (var defect in defects)
        {
            output.WriteLine(defect);
        }

        if (defects.Count == BlockVerifier.MaxDefects)
        {
            output.WriteLine($"{folder}: there may be more");
        }
    }

    private static void Write(Utf8JsonWriter to, string folder, IReadOnlyList<BlockDefect> defects)
    {
        to.WriteStartObject();
        to.WriteString("block", folder);
        to.WriteStartArray("defects");
        foreach (var defect in defects)
        {
            to.WriteStartObject();
            to.WriteString("file", defect.File);
            to.WriteNumber("offset", defect.Offset);
            to.WriteString("reason", defect.Reason);
            to.WriteEndObject();
        }

        to.WriteEndArray();
        to.WriteEndObject();
    }
}
