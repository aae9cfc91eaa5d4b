using System.Text;
using Metrics.EndToEnd.Programs;
using Metrics.Model;
using Metrics.Storage;
using Xunit;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.EndToEnd;

/// <summary>Blocks must mean the same to Prometheus's own tool and to us, in both directions.</summary>
[Trait("Category", "Peers")]
public sealed class BlocksWithPromtoolTests : IDisposable
{
    private const long StartSeconds = 1_600_000_000;
    private readonly string data = Directory.CreateTempSubdirectory("metrics-promtool-").FullName;

    public BlocksWithPromtoolTests() => Directory.CreateDirectory(Path.Combine(data, "wal")); // promtool insists on one

    public void Dispose() => Directory.Delete(data, recursive: true);

    [Fact]
    public void ABlockPrometheusWroteReadsBackAsItDumpsIt()
    {
        CreateBlocks(series: 300, samples: 200);
        Assert.Equal(DumpLines(), OwnLines());
    }

    [Fact]
    public void ABlockPrometheusWroteAnswersMatchersAsItDoes()
    {
        CreateBlocks(series: 120, samples: 3);
        using var set = new BlockSet(data, Assert.Fail);
        var block = Assert.Single(set.Blocks);
        string[] selectors = ["{n='7'}", "{n=~'1.'}", "{n!~'1.+',parity='odd'}", "{parity=''}", "{parity!='',n=~'.*5|6'}"];
        Matcher[][] matchers = [
            [new(MatchType.Equal, "n", "7")],
            [new(MatchType.Regex, "n", "1.")],
            [new(MatchType.NotRegex, "n", "1.+"), new(MatchType.Equal, "parity", "odd")],
            [new(MatchType.Equal, "parity", "")],
            [new(MatchType.NotEqual, "parity", ""), new(MatchType.Regex, "n", ".*5|6")],
        ];
        for (var i = 0; i < selectors.Length; i++)
        {
            using var found = block.Select(matchers[i], TimeRange.All);
            Assert.Equal(DumpLines("--match", selectors[i]), Lines(found));
            Assert.NotEqual(0, found.Count);
        }
    }

    [Fact]
    public void ABlockRewrittenByUsIsListedAnalyzedAndDumpedAlike()
    {
        CreateBlocks(series: 300, samples: 200);
        var want = DumpLines();
        Ulid copy;
        using (var set = new BlockSet(data, Assert.Fail))
        {
            var original = Assert.Single(set.Blocks);
            copy = Rewrite(original, set);
            set.Add(copy);
            Assert.True(set.Delete(original.Meta.Ulid));
        }

        Assert.Equal(want, DumpLines());
        Assert.Equal(want, OwnLines());
        var listed = Promtool.Run("tsdb", "list", data);
        Assert.Contains(copy.ToString(), listed);
        Assert.Contains((300 * 200).ToString(), listed);
        var analysis = Promtool.Run("tsdb", "analyze", data, copy.ToString());
        Assert.Contains("\nSeries: 300\n", analysis);
        Assert.Contains("\nLabel names: 3\n", analysis);
        Assert.Contains("\nPostings (unique label pairs): 303\n", analysis);
        Assert.Contains("\nPostings entries (total label pairs): 800\n", analysis);
    }

    [Fact]
    public void ABlockThatWasDenseIsDumpedAlike()
    {
        CreateBlocks(series: 300, samples: 200);
        var want = DumpLines();
        Ulid ulid;
        var dense = Path.Combine(data, "dense");
        using (var set = new BlockSet(data, Assert.Fail))
        {
            ulid = BlockConversion.Write(Assert.Single(set.Blocks), ChunkEncoding.Dense, Directory.CreateDirectory(dense).FullName)!.Ulid;
            Assert.True(set.Delete(ulid));
        }

        using (var block = BlockReader.Open(Path.Combine(dense, ulid.ToString())))
        {
            Assert.NotNull(BlockConversion.Write(block, ChunkEncoding.Xor, data));
        }

        Assert.Equal(want, DumpLines());
    }

    private static Ulid Rewrite(BlockReader original, BlockSet set)
    {
        using var held = original.Hold();
        using var writer = set.Write(Ulid.New(TimeProvider.System, new Random(1)), new BlockDescription
        {
            MinTimeMs = original.Meta.MinTime,
            MaxTimeMs = original.Meta.MaxTime,
            SegmentBytes = 20_000,
            Thanos = new ThanosMeta { Source = "test" },
        });
        using var all = new PostingsBuffer();
        original.Index.AddAll(all);
        var entry = new SeriesEntry();
        foreach (var series in all.Items)
        {
            original.Index.ReadSeries(series, entry);
            writer.BeginSeries(entry.CanonicalLabels);
            foreach (var chunk in entry.Chunks)
            {
                var bytes = original.ReadChunk(chunk, out var encoding);
                writer.AddChunk(encoding, chunk.MinMs, chunk.MaxMs, bytes);
            }
        }

        return writer.Finish().Ulid;
    }

    private void CreateBlocks(int series, int samples)
    {
        var random = new Random(42);
        var text = new StringBuilder("# TYPE temperature gauge\n");
        for (var s = 0; s < series; s++)
        {
            var parity = s % 3 == 0 ? "" : s % 2 == 0 ? ",parity=\"even\"" : ",parity=\"odd\"";
            for (var i = 0; i < samples; i++)
            {
                var value = (i % 5) switch { 0 => "NaN", 1 => "+Inf", 2 => random.Next(10).ToString(), _ => random.NextDouble().ToString("R") };
                text.Append($"temperature{{n=\"{s}\"{parity}}} {value} {StartSeconds + (i * 15) + random.Next(3)}\n");
            }
        }

        var input = Path.Combine(data, "input.txt");
        File.WriteAllText(input, text.Append("# EOF\n").ToString());
        Promtool.Run("tsdb", "create-blocks-from", "openmetrics", input, data);
    }

    private List<string> DumpLines(params string[] options) =>
        [.. Promtool.Run(["tsdb", "dump", .. options, data]).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Canonical).Order(StringComparer.Ordinal)];

    private List<string> OwnLines()
    {
        using var set = new BlockSet(data, Assert.Fail);
        var lines = new List<string>();
        foreach (var block in set.Blocks)
        {
            using var found = block.Select([], TimeRange.All);
            lines.AddRange(Lines(found));
        }

        return [.. lines.Order(StringComparer.Ordinal)];
    }

    private static List<string> Lines(ISeriesSet set)
    {
        using var buffer = new SampleBuffer();
        var lines = new List<string>();
        for (var i = 0; i < set.Count; i++)
        {
            buffer.Clear();
            set.Read(i, buffer);
            var labels = string.Join(", ", set.LabelsOf(i).AsEnumerable().Select(l => $"{l.Key}=\"{l.Value}\""));
            for (var s = 0; s < buffer.Count; s++)
            {
                lines.Add(Line($"{{{labels}}}", buffer.Values[s], buffer.Times[s]));
            }
        }

        return [.. lines.Order(StringComparer.Ordinal)];
    }

    // Both programs' numbers are brought to their bits, so that only values are compared and not the printing of them.
    private static string Canonical(string dumped)
    {
        var parts = dumped[(dumped.LastIndexOf('}') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var value = parts[0] switch { "NaN" => double.NaN, "+Inf" => double.PositiveInfinity, "-Inf" => double.NegativeInfinity, var n => double.Parse(n) };
        return Line(dumped[..(dumped.LastIndexOf('}') + 1)], value, long.Parse(parts[1]));
    }

    private static string Line(string labels, double value, long time) =>
        $"{labels} {(double.IsNaN(value) ? "NaN" : BitConverter.DoubleToUInt64Bits(value).ToString("x16"))} {time}";
}
