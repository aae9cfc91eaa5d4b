using System.Text;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>What a block is made of: which labels fill its index, and how its chunks are filled.</summary>
/// <remarks>The figures of <c>promtool tsdb analyze</c> (cmd/promtool/tsdb.go), counted the same way, and bytes per sample.</remarks>
public sealed record BlockAnalysis
{
    /// <summary>What <c>meta.json</c> says.</summary>
    public required BlockMeta Meta { get; init; }

    /// <summary>Series that match.</summary>
    public required long Series { get; init; }

    /// <summary>Distinct label names.</summary>
    public required int LabelNames { get; init; }

    /// <summary>Distinct label pairs.</summary>
    public required int LabelPairs { get; init; }

    /// <summary>Label pairs of all series together: the entries of all postings lists.</summary>
    public required long PostingsEntries { get; init; }

    /// <summary>Bytes of the index file.</summary>
    public required long IndexBytes { get; init; }

    /// <summary>Label pairs by the number of whole block lengths that their series do not cover: those that come and go.</summary>
    public required IReadOnlyList<RankedName> ChurningPairs { get; init; }

    /// <summary>Label names by the same.</summary>
    public required IReadOnlyList<RankedName> ChurningNames { get; init; }

    /// <summary>Label pairs by series.</summary>
    public required IReadOnlyList<RankedName> CommonPairs { get; init; }

    /// <summary>Label names by the bytes of all their values.</summary>
    public required IReadOnlyList<RankedName> LongestNames { get; init; }

    /// <summary>Label names by values.</summary>
    public required IReadOnlyList<RankedName> CardinalNames { get; init; }

    /// <summary>Metric names by series.</summary>
    public required IReadOnlyList<RankedName> CardinalMetrics { get; init; }

    /// <summary>The chunks, an entry an encoding.</summary>
    public required IReadOnlyList<ChunkFill> Chunks { get; init; }

    /// <summary>Analyses a block.</summary>
    /// <param name="block">The block.</param>
    /// <param name="matchers">Which series; none means all.</param>
    /// <param name="limit">How many entries the ranked lists have at most.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public static BlockAnalysis Of(BlockReader block, IReadOnlyList<Matcher> matchers, int limit, CancellationToken cancellation = default)
    {
        using var held = block.Hold();
        using var references = new PostingsBuffer();
        PostingsSelection.Select(block.Index, matchers, references);
        var labels = new LabelTally(block.Meta.MaxTime - block.Meta.MinTime);
        var fills = new SortedDictionary<ChunkEncoding, ChunkFill>();
        var columns = new HashSet<ulong>();
        var entry = new SeriesEntry();
        foreach (var reference in references.Items)
        {
            cancellation.ThrowIfCancellationRequested();
            block.Index.ReadSeries(reference, entry);
            labels.Add(entry);
            foreach (var chunk in entry.Chunks)
            {
                var data = block.ReadChunk(chunk, out var encoding);
                if (!fills.TryGetValue(encoding, out var fill))
                {
                    fills.Add(encoding, fill = new ChunkFill(encoding));
                }

                fill.Add(data);
                if (block.TimeColumnOf(chunk, encoding, data, out var column, out var bytes) && columns.Add(column))
                {
                    if (!fills.TryGetValue(ChunkEncoding.TimeColumn, out var times))
                    {
                        fills.Add(ChunkEncoding.TimeColumn, times = new ChunkFill(ChunkEncoding.TimeColumn));
                    }

                    times.AddColumn(bytes);
                }
            }
        }

        return new BlockAnalysis
        {
            Meta = block.Meta,
            Series = references.Count,
            LabelNames = labels.Names,
            LabelPairs = labels.Pairs,
            PostingsEntries = labels.Entries,
            IndexBytes = block.Index.Length,
            ChurningPairs = labels.ChurningPairs(limit),
            ChurningNames = labels.ChurningNames(limit),
            CommonPairs = labels.CommonPairs(limit),
            LongestNames = labels.LongestNames(limit),
            CardinalNames = labels.CardinalNames(limit),
            CardinalMetrics = labels.CardinalMetrics(limit),
            Chunks = [.. fills.Values],
        };
    }
}

/// <summary>A line of a ranked list.</summary>
/// <param name="Count">What it is ranked by.</param>
/// <param name="Name">A label name, a label value or <c>name=value</c>.</param>
public readonly record struct RankedName(long Count, string Name);

/// <summary>How the chunks of one encoding are filled.</summary>
public sealed class ChunkFill(ChunkEncoding encoding)
{
    /// <summary>How many samples a bar of <see cref="SamplesPerChunk"/> is wide.</summary>
    public const int SamplesPerBar = 20;

    private readonly SortedDictionary<int, long> bars = [];

    /// <summary>The encoding.</summary>
    public ChunkEncoding Encoding { get; } = encoding;

    /// <summary>Chunks.</summary>
    public long Chunks { get; private set; }

    /// <summary>Their samples.</summary>
    public long Samples { get; private set; }

    /// <summary>Their bytes, without length, encoding and checksum.</summary>
    public long Bytes { get; private set; }

    /// <summary>The fewest samples of a chunk.</summary>
    public int MinSamples { get; private set; } = int.MaxValue;

    /// <summary>The most samples of a chunk.</summary>
    public int MaxSamples { get; private set; }

    /// <summary>Bytes a sample.</summary>
    public double BytesPerSample => Samples == 0 ? 0 : (double)Bytes / Samples;

    /// <summary>How many chunks have so many samples: the lower end of each bar, inclusive, and its chunks; empty bars are left out.</summary>
    public IReadOnlyCollection<KeyValuePair<int, long>> SamplesPerChunk => bars;

    /// <summary>Adds a time column: bytes without samples, for those are counted with the chunks.</summary>
    internal void AddColumn(int bytes)
    {
        Chunks++;
        Bytes += bytes;
        MinSamples = 0;
    }

    internal void Add(ReadOnlySpan<byte> data)
    {
        var samples = Encoding == AggregateChunk.Encoding ? AggregateChunk.Count(data) : XorChunk.Count(data);
        Chunks++;
        Samples += samples;
        Bytes += data.Length;
        MinSamples = Math.Min(MinSamples, samples);
        MaxSamples = Math.Max(MaxSamples, samples);
        var bar = samples / SamplesPerBar * SamplesPerBar;
        bars[bar] = bars.GetValueOrDefault(bar) + 1;
    }
}

/// <summary>Counts labels of series. Not thread-safe.</summary>
internal sealed class LabelTally(long blockMs)
{
    private readonly SymbolInterner texts = new();
    private readonly Dictionary<(int Name, int Value), Tally> pairs = [];
    private readonly Dictionary<int, Tally> names = [];

    public int Names => names.Count;

    public int Pairs => pairs.Count;

    public long Entries { get; private set; }

    public void Add(SeriesEntry series)
    {
        var chunks = series.Chunks;
        var uncovered = chunks.IsEmpty ? blockMs : blockMs - (chunks[^1].MaxMs - chunks[0].MinMs);
        foreach (var label in new LabelEnumerator(series.CanonicalLabels))
        {
            var name = texts.Intern(label.Name);
            var value = texts.Intern(label.Value);
            ref var pair = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(pairs, (name, value), out var known);
            ref var ofName = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(names, name, out _);
            if (!known)
            {
                ofName.Values++;
                ofName.ValueBytes += label.Value.Length;
            }

            pair.Series++;
            pair.UncoveredMs += (ulong)uncovered;
            ofName.UncoveredMs += (ulong)uncovered;
            Entries++;
        }
    }

    public IReadOnlyList<RankedName> ChurningPairs(int limit) => Top(pairs.Select(p => (Blocks(p.Value), PairText(p.Key))), limit);

    public IReadOnlyList<RankedName> ChurningNames(int limit) => Top(names.Select(n => (Blocks(n.Value), Text(n.Key))), limit);

    public IReadOnlyList<RankedName> CommonPairs(int limit) => Top(pairs.Select(p => (p.Value.Series, PairText(p.Key))), limit);

    public IReadOnlyList<RankedName> LongestNames(int limit) => Top(names.Select(n => (n.Value.ValueBytes, Text(n.Key))), limit);

    public IReadOnlyList<RankedName> CardinalNames(int limit) => Top(names.Select(n => (n.Value.Values, Text(n.Key))), limit);

    public IReadOnlyList<RankedName> CardinalMetrics(int limit)
    {
        var metric = texts.Intern("__name__"u8);
        return Top(pairs.Where(p => p.Key.Name == metric).Select(p => (p.Value.Series, Text(p.Key.Value))), limit);
    }

    private long Blocks(Tally tally) => (long)((double)tally.UncoveredMs / blockMs);

    private string Text(int text) => Encoding.UTF8.GetString(texts[text]);

    private string PairText((int Name, int Value) pair) => $"{Text(pair.Name)}={Text(pair.Value)}";

    private static RankedName[] Top(IEnumerable<(long Count, string Name)> all, int limit) =>
        [.. all.OrderByDescending(n => n.Count).ThenBy(n => n.Name, StringComparer.Ordinal).Take(limit).Select(n => new RankedName(n.Count, n.Name))];

    private struct Tally
    {
        public long Series;
        public long Values;
        public long ValueBytes;
        public ulong UncoveredMs;
    }
}
