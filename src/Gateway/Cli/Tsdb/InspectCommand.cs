using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary><c>tsdb inspect</c>: what fills a block's index and chunks.</summary>
internal static class InspectCommand
{
    private const int DefaultLimit = 20;
    private const int WidestBar = 60;

    /// <summary>Builds the command.</summary>
    public static Command Build(TextWriter output, TextWriter error)
    {
        var at = new BlockPlaceOptions();
        var block = new Option<string?>("--block") { Description = "The block's ULID; the newest when not given.", HelpName = "ULID" };
        var limit = new Option<int>("--limit") { Description = "How many entries each list has.", HelpName = "N", DefaultValueFactory = _ => DefaultLimit };
        var match = TsdbCommands.Match();
        var json = TsdbCommands.Json();
        var command = new Command("inspect", "Tells of a block which labels and values are many, which come and go, how full chunks are and what a sample costs.") { block, limit, match, json };
        at.AddTo(command);
        command.SetAction((parsed, stop) => TsdbCommands.RunAsync(error, async () =>
        {
            var selections = TsdbCommands.Selections(parsed.GetValue(match)!);
            if (selections.Count > 1)
            {
                throw new CommandException(ExitCode.Usage, "--match: inspect takes one selector");
            }

            await using var place = await at.OpenAsync(parsed, stop);
            using var open = await BlockPlace.OpenAsync([await PickAsync(place.Readable(error), parsed.GetValue(block), stop)], stop);
            var analysis = BlockAnalysis.Of(open.Blocks[0], selections.Count == 0 ? [] : selections[0], Math.Max(parsed.GetValue(limit), 0), stop);
            if (parsed.GetValue(json))
            {
                JsonLines.Print(output, to => Write(to, analysis));
            }
            else
            {
                Print(output, analysis);
            }

            return ExitCode.Ok;
        }));
        return command;
    }

    private static async Task<PlacedBlock> PickAsync(IReadOnlyList<PlacedBlock> readable, string? ulid, CancellationToken stop)
    {
        if (ulid is not null)
        {
            return readable.FirstOrDefault(b => b.IsCalled(ulid)) ?? throw new CommandException(ExitCode.Failure, $"there is no block {ulid}");
        }

        PlacedBlock? newest = null;
        var newestEnd = (long.MinValue, default(Ulid));
        foreach (var block in readable)
        {
            var meta = await block.ReadMetaAsync(stop);
            if (newest is null || (meta.MaxTime, meta.Ulid).CompareTo(newestEnd) > 0)
            {
                newest = block;
                newestEnd = (meta.MaxTime, meta.Ulid);
            }
        }

        return newest ?? throw new CommandException(ExitCode.Failure, "there is no whole block");
    }

    private static IEnumerable<(string Key, string Title, IReadOnlyList<RankedName> Names)> Lists(BlockAnalysis analysis) =>
    [
        ("churningLabelPairs", "Label pairs most involved in churning", analysis.ChurningPairs),
        ("churningLabelNames", "Label names most involved in churning", analysis.ChurningNames),
        ("commonLabelPairs", "Most common label pairs", analysis.CommonPairs),
        ("longestLabelNames", "Label names with highest cumulative label value length", analysis.LongestNames),
        ("highestCardinalityLabels", "Highest cardinality labels", analysis.CardinalNames),
        ("highestCardinalityMetrics", "Highest cardinality metric names", analysis.CardinalMetrics),
    ];

    private static void Print(TextWriter output, BlockAnalysis analysis)
    {
        output.WriteLine($"Block ID: {analysis.Meta.Ulid}");
        output.WriteLine($"Duration: {ListCommand.Duration(analysis.Meta.MaxTime - analysis.Meta.MinTime)}");
        output.WriteLine($"Series: {analysis.Series}");
        output.WriteLine($"Label names: {analysis.LabelNames}");
        output.WriteLine($"Postings (unique label pairs): {analysis.LabelPairs}");
        output.WriteLine($"Postings entries (total label pairs): {analysis.PostingsEntries}");
        foreach (var (_, title, names) in Lists(analysis))
        {
            output.WriteLine($"\n{title}:");
            foreach (var line in names)
            {
                output.WriteLine($"{line.Count} {line.Name}");
            }
        }

        output.WriteLine("\nBytes:");
        output.WriteLine($"index: {analysis.IndexBytes}");
        foreach (var fill in analysis.Chunks)
        {
            Print(output, fill);
        }

        var samples = analysis.Chunks.Sum(c => c.Samples);
        if (samples > 0)
        {
            output.WriteLine($"\nBytes per sample, index included: {Number((analysis.IndexBytes + analysis.Chunks.Sum(c => c.Bytes)) / (double)samples)}");
        }
    }

    private static void Print(TextWriter output, ChunkFill fill)
    {
        if (fill.Encoding == ChunkEncoding.TimeColumn)
        {
            output.WriteLine($"{Name(fill.Encoding)}: {fill.Bytes} in {fill.Chunks} columns that chunks share");
            return;
        }

        output.WriteLine($"{Name(fill.Encoding)}: {fill.Bytes} in {fill.Chunks} chunks of {fill.Samples} samples, {Number(fill.BytesPerSample)} a sample");
        output.WriteLine($"\nSamples per {Name(fill.Encoding)} chunk (min/avg/max): {fill.MinSamples}/{fill.Samples / fill.Chunks}/{fill.MaxSamples}");
        foreach (var (from, chunks) in fill.SamplesPerChunk)
        {
            var bar = new string('#', (int)(chunks * WidestBar / fill.Chunks));
            output.WriteLine($"[{from,5}, {from + ChunkFill.SamplesPerBar - 1,5}]: {chunks,8} {bar}".TrimEnd());
        }
    }

    private static void Write(Utf8JsonWriter to, BlockAnalysis analysis)
    {
        to.WriteStartObject();
        to.WriteString("ulid", analysis.Meta.Ulid.ToString());
        to.WriteNumber("minTime", analysis.Meta.MinTime);
        to.WriteNumber("maxTime", analysis.Meta.MaxTime);
        to.WriteNumber("series", analysis.Series);
        to.WriteNumber("labelNames", analysis.LabelNames);
        to.WriteNumber("labelPairs", analysis.LabelPairs);
        to.WriteNumber("postingsEntries", analysis.PostingsEntries);
        to.WriteNumber("indexBytes", analysis.IndexBytes);
        to.WriteStartArray("chunks");
        foreach (var fill in analysis.Chunks)
        {
            to.WriteStartObject();
            to.WriteString("encoding", Name(fill.Encoding));
            to.WriteNumber("chunks", fill.Chunks);
            to.WriteNumber("samples", fill.Samples);
            to.WriteNumber("bytes", fill.Bytes);
            to.WriteNumber("minSamples", fill.MinSamples);
            to.WriteNumber("maxSamples", fill.MaxSamples);
            to.WriteEndObject();
        }

        to.WriteEndArray();
        foreach (var (key, _, names) in Lists(analysis))
        {
            to.WriteStartArray(key);
            foreach (var line in names)
            {
                to.WriteStartObject();
                to.WriteString("name", line.Name);
                to.WriteNumber("count", line.Count);
                to.WriteEndObject();
            }

            to.WriteEndArray();
        }

        to.WriteEndObject();
    }

    private static string Name(ChunkEncoding encoding) => encoding switch
    {
        ChunkEncoding.Xor => "float",
        ChunkEncoding.Histogram => "histogram",
        ChunkEncoding.FloatHistogram => "float histogram",
        ChunkEncoding.Dense => "dense float",
        ChunkEncoding.TimeColumn => "time column",
        _ => $"encoding {(byte)encoding}",
    };

    private static string Number(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}
