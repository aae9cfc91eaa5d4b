using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary><c>tsdb list</c>: the blocks of a place, from their <c>meta.json</c>.</summary>
internal static class ListCommand
{
    private static readonly string[] Heads =
        ["BLOCK ULID", "MIN TIME", "MAX TIME", "DURATION", "NUM SAMPLES", "NUM CHUNKS", "NUM SERIES", "SIZE", "LEVEL", "RESOLUTION", "LABELS"];

    /// <summary>Builds the command.</summary>
    public static Command Build(TextWriter output, TextWriter error)
    {
        var place = TsdbCommands.Place();
        var json = TsdbCommands.Json();
        var human = new Option<bool>("--human-readable", "-r") { Description = "Prints times as dates and sizes in KiB, MiB, GiB." };
        var command = new Command("list", "Lists blocks, oldest first, in the columns of promtool and some more.") { place, human, json };
        command.SetAction(parsed => TsdbCommands.Run(error, () =>
        {
            var blocks = ReadAll(parsed.GetRequiredValue(place));
            if (parsed.GetValue(json))
            {
                using var list = new JsonLines(output);
                blocks.ForEach(b => list.Add(to => Write(to, b.Folder, b.Meta, b.Bytes)));
            }
            else
            {
                var rows = blocks.ConvertAll(b => Row(b.Meta, b.Bytes, parsed.GetValue(human)));
                TextTable.Print(output, Heads, rows);
            }

            return ExitCode.Ok;
        }));
        return command;
    }

    /// <summary>A length of time as Go prints it, e.g. <c>2h0m0s</c>.</summary>
    internal static string Duration(long milliseconds)
    {
        var (hours, rest) = Math.DivRem(milliseconds, 3_600_000L);
        var (minutes, inMinute) = Math.DivRem(rest, 60_000L);
        var seconds = (inMinute / 1000m).ToString("0.###", CultureInfo.InvariantCulture);
        return hours > 0 ? $"{hours}h{minutes}m{seconds}s" : minutes > 0 ? $"{minutes}m{seconds}s" : $"{seconds}s";
    }

    private static List<(string Folder, BlockMeta Meta, long Bytes)> ReadAll(string place)
    {
        var blocks = new List<(string Folder, BlockMeta Meta, long Bytes)>();
        foreach (var folder in OpenBlocks.Folders(place))
        {
            var bytes = new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length);
            blocks.Add((folder, BlockMeta.Read(folder), bytes));
        }

        blocks.Sort((a, b) => (a.Meta.MinTime, a.Meta.Ulid).CompareTo((b.Meta.MinTime, b.Meta.Ulid)));
        return blocks;
    }

    private static string[] Row(BlockMeta meta, long bytes, bool human) =>
    [
        meta.Ulid.ToString(),
        Time(meta.MinTime, human),
        Time(meta.MaxTime, human),
        Duration(meta.MaxTime - meta.MinTime),
        meta.Stats.NumSamples.ToString(CultureInfo.InvariantCulture),
        meta.Stats.NumChunks.ToString(CultureInfo.InvariantCulture),
        meta.Stats.NumSeries.ToString(CultureInfo.InvariantCulture),
        human ? Size(bytes) : bytes.ToString(CultureInfo.InvariantCulture),
        meta.Compaction.Level.ToString(CultureInfo.InvariantCulture),
        meta.Thanos is { Downsample.Resolution: > 0 } thanos ? Duration(thanos.Downsample.Resolution) : "raw",
        string.Join(',', meta.Thanos?.Labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}") ?? []),
    ];

    private static string Time(long milliseconds, bool human) => human && milliseconds is > -62_135_596_800_000 and < 253_402_300_800_000
        ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture)
        : milliseconds.ToString(CultureInfo.InvariantCulture);

    private static string Size(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        var unit = 0;
        double size = bytes;
        for (; size >= 1024 && unit < units.Length - 1; unit++)
        {
            size /= 1024;
        }

        return size.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + units[unit];
    }

    private static void Write(Utf8JsonWriter to, string folder, BlockMeta meta, long bytes)
    {
        to.WriteStartObject();
        to.WriteString("ulid", meta.Ulid.ToString());
        to.WriteString("path", folder);
        to.WriteNumber("minTime", meta.MinTime);
        to.WriteNumber("maxTime", meta.MaxTime);
        to.WriteNumber("samples", meta.Stats.NumSamples);
        to.WriteNumber("chunks", meta.Stats.NumChunks);
        to.WriteNumber("series", meta.Stats.NumSeries);
        to.WriteNumber("tombstones", meta.Stats.NumTombstones);
        to.WriteNumber("bytes", bytes);
        to.WriteNumber("level", meta.Compaction.Level);
        to.WriteNumber("resolution", meta.Thanos?.Downsample?.Resolution ?? 0);
        to.WriteStartObject("labels");
        foreach (var (name, value) in meta.Thanos?.Labels ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            to.WriteString(name, value);
        }

        to.WriteEndObject();
        to.WriteEndObject();
    }
}
