using System.Globalization;
using Metrics.Model;
using Xunit;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage.Tests.Corruption;

/// <summary>A small block with everything that a block can have: floats and both kinds of histograms, several segments, deletions, a Thanos section.</summary>
internal sealed class CorruptibleBlock : IDisposable
{
    private readonly ScratchDirectory scratch = new();

    /// <summary>Writes a block.</summary>
    /// <param name="prefix">What label values begin with.</param>
    /// <param name="value">What is added to every value; the shape of the block does not depend on it.</param>
    /// <param name="seal">Whether the seal stays: other programs' blocks have none.</param>
    /// <param name="fromMs">Where time starts.</param>
    public CorruptibleBlock(string prefix = "a", int value = 1, bool seal = true, long fromMs = 1000)
    {
        var ulid = Ulid.New(TimeProvider.System, new Random(value));
        using (var writer = new BlockWriter(scratch.Path, ulid, new BlockDescription
        {
            SegmentBytes = 180,
            MinTimeMs = fromMs,
            MaxTimeMs = fromMs + 6000,
            Thanos = new ThanosMeta { Source = "test", Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["replica"] = prefix } },
        }))
        {
            foreach (var name in (string[])["x", "y", "z"])
            {
                writer.BeginSeries(Labels.Of(("__name__", "float"), ("n", prefix + name)).Encoded);
                AddFloats(writer, fromMs, value + 0.5);
                AddFloats(writer, fromMs + 3000, value + 0.25);
            }

            AddHistograms(writer, "integer", prefix, ChunkEncoding.Histogram, fromMs, value);
            AddHistograms(writer, "ratio", prefix, ChunkEncoding.FloatHistogram, fromMs, value + 0.5);
            writer.Finish();
        }

        Path = System.IO.Path.Combine(scratch.Path, ulid.ToString());
        Delete(fromMs);
        if (!seal)
        {
            File.WriteAllBytes(FileOf(BlockMeta.FileName), (BlockMeta.Read(Path) with { Metrics = null }).ToJson());
        }

        foreach (var file in Files)
        {
            Original.Add(file, File.ReadAllBytes(FileOf(file)));
        }

        Answers = Ask();
    }

    public string Path { get; }

    /// <summary>The files of the block, relative.</summary>
    public static IReadOnlyList<string> Files { get; } = ["chunks/000001", "chunks/000002", "chunks/000003", "index", "meta.json", "tombstones"];

    /// <summary>Their bytes when all was well.</summary>
    public Dictionary<string, byte[]> Original { get; } = new(StringComparer.Ordinal);

    /// <summary>What the block answered when all was well.</summary>
    public IReadOnlyList<string> Answers { get; }

    public string FileOf(string relative) => System.IO.Path.Combine(Path, relative);

    /// <summary>Puts one file back.</summary>
    public void Restore(string file) => File.WriteAllBytes(FileOf(file), Original[file]);

    /// <summary>Asks everything one can ask of a block.</summary>
    public IReadOnlyList<string> Ask()
    {
        var answers = new List<string>();
        using var block = BlockReader.Open(Path);
        var from = block.Meta.MinTime;
        Matcher[][] selections =
        [
            [], [new(MatchType.Equal, "__name__", "float")], [new(MatchType.Regex, "n", ".*y|.*z")], [new(MatchType.NotEqual, "__name__", "float")],
            [new(MatchType.Equal, "n", "")], [new(MatchType.Equal, "n", "none")],
        ];
        TimeRange[] ranges = [TimeRange.All, new(1000, 2500), new(4500, 9000), new(4000, 4000)];
        foreach (var selection in selections)
        {
            foreach (var range in ranges)
            {
                using var set = block.Select(selection, range);
                Describe(set, answers);
                answers.Add($"names {string.Join(',', block.LabelNames(selection, range))}");
                answers.Add($"values {string.Join(',', block.LabelValues("n", selection, range))}");
            }
        }

        answers.Add($"from {from}");
        return answers;
    }

    public void Dispose() => scratch.Dispose();

    private static void Describe(ISeriesSet set, List<string> into)
    {
        using var buffer = new SampleBuffer();
        var series = new List<string>();
        for (var i = 0; i < set.Count; i++)
        {
            buffer.Clear();
            set.Read(i, buffer);
            var line = set.LabelsOf(i).ToString();
            for (var s = 0; s < buffer.Count; s++)
            {
                var sample = buffer.HasHistograms && buffer.Histograms[s] is { } histogram ? histogram.ToString() : buffer.Values[s].ToString("R", CultureInfo.InvariantCulture);
                line += $" {buffer.Times[s]}={sample}";
            }

            // What is deleted whole may be listed or not.
            if (buffer.Count > 0)
            {
                series.Add(line);
            }
        }

        into.AddRange(series.Order(StringComparer.Ordinal));
    }

    private static void AddFloats(BlockWriter writer, long fromMs, double value)
    {
        var chunk = TestBlocks.Xor((fromMs, value), (fromMs + 1000, value * 2), (fromMs + 2001, value));
        writer.AddChunk(ChunkEncoding.Xor, chunk.MinMs, chunk.MaxMs, chunk.Data.Span);
    }

    private static void AddHistograms(BlockWriter writer, string name, string prefix, ChunkEncoding encoding, long fromMs, double value)
    {
        var encoder = new HistogramChunkEncoder(encoding);
        encoder.Begin(CounterResetHint.Unknown);
        for (var i = 0; i < 4; i++)
        {
            Assert.True(encoder.TryAppend(fromMs + (i * 1000), new FloatHistogram
            {
                Schema = 1,
                ZeroThreshold = 0.001,
                ZeroCount = i,
                Count = i + (2 * (value + i)),
                Sum = 7 * i,
                PositiveSpans = [new HistogramSpan(1, 2)],
                PositiveBuckets = [value + i, value + i],
            }));
        }

        writer.BeginSeries(Labels.Of(("__name__", name), ("n", prefix + "h")).Encoded);
        writer.AddChunk(encoding, fromMs, fromMs + 3000, encoder.ToBytes());
    }

    private void Delete(long fromMs)
    {
        uint first;
        using (var block = BlockReader.Open(Path))
        {
            using var all = new PostingsBuffer();
            block.Index.AddAll(all);
            first = all.Items[0];
        }

        var tombstones = Tombstones.Of([(first, new TimeRange(fromMs + 1000, fromMs + 1500)), (first, new TimeRange(fromMs + 5000, fromMs + 5500))]);
        File.WriteAllBytes(FileOf(Tombstones.FileName), tombstones.ToBytes());
        var meta = BlockMeta.Read(Path);
        var files = meta.Thanos!.Files!.Select(f => f.RelPath == Tombstones.FileName ? f with { SizeBytes = tombstones.ToBytes().Length } : f).ToList();
        meta = meta with { Stats = meta.Stats with { NumTombstones = 2 }, Thanos = meta.Thanos with { Files = files } };
        File.WriteAllBytes(FileOf(BlockMeta.FileName), FileSeals.Sealed(meta, Path).ToJson());
    }
}
