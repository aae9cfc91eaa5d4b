using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>What a new block is told about itself.</summary>
public sealed record BlockDescription
{
    /// <summary>The first instant covered, Unix milliseconds; null for that of the first sample.</summary>
    public long? MinTimeMs { get; init; }

    /// <summary>The end of the time covered, exclusive; null for that after the last sample.</summary>
    public long? MaxTimeMs { get; init; }

    /// <summary>What the block is made from. Without sources a block is its own.</summary>
    public BlockCompaction Compaction { get; init; } = new();

    /// <summary>The <c>thanos</c> section; null leaves it out. Its files are filled in.</summary>
    public ThanosMeta? Thanos { get; init; }

    /// <summary>Our own section; null leaves it out.</summary>
    public MetricsMeta? Metrics { get; init; }

    /// <summary>The encoding of float chunks, <see cref="ChunkEncoding.Xor"/> or <see cref="ChunkEncoding.Dense"/>, into which chunks of the other one are brought; null leaves each as it comes, and encodes
    /// by XOR what comes as samples.</summary>
    public ChunkEncoding? FloatEncoding { get; init; }

    /// <summary>A segment is closed before it exceeds this; Prometheus's limit is the default.</summary>
    public long SegmentBytes { get; init; } = 512L * 1024 * 1024;
}

/// <summary>Writes a Prometheus TSDB block; FORMAT.md beside this file draws it.</summary>
/// <remarks>
/// Series come in label order, each as <see cref="BeginSeries"/> followed by its chunks. Everything is written and flushed to the disk under
/// <c>&lt;ulid&gt;.tmp</c>, <c>meta.json</c> last, and appears by one rename in <see cref="Finish"/>. Without <see cref="Finish"/>, <see cref="Dispose"/>
/// removes the directory; after a crash <see cref="BlockSet"/> does. Not thread-safe.
/// </remarks>
public sealed partial class BlockWriter : IChunkSink, IDisposable
{
    /// <summary>What the name of an unfinished block ends with.</summary>
    public const string UnfinishedSuffix = ".tmp";

    private readonly string parent;
    private readonly string unfinished;
    private readonly BlockDescription description;
    private readonly IndexWriter index;
    private readonly ChunkSegmentWriter segments;
    private readonly List<ChunkMeta> chunks = [];
    private byte[] labels = [];
    private bool open;
    private bool finished;
    private long minMs = long.MaxValue;
    private long maxMs = long.MinValue;
    private ulong floats;
    private ulong histograms;
    private ulong chunkCount;
    private ulong seriesCount;

    /// <summary>Begins a block in a directory of blocks.</summary>
    public BlockWriter(string directory, Ulid ulid, BlockDescription? description = null)
    {
        parent = directory;
        Ulid = ulid;
        this.description = description ?? new BlockDescription();
        unfinished = Path.Combine(directory, ulid + UnfinishedSuffix);
        Directory.CreateDirectory(Path.Combine(unfinished, ChunkSegments.DirectoryName));
        index = new IndexWriter(Path.Combine(unfinished, "index"));
        segments = new ChunkSegmentWriter(Path.Combine(unfinished, ChunkSegments.DirectoryName), this.description.SegmentBytes);
    }

    /// <summary>The block's name.</summary>
    public Ulid Ulid { get; }

    /// <summary>Series with at least one chunk so far, the one at hand included.</summary>
    public ulong SeriesCount => seriesCount + (chunks.Count + pending.Count > 0 ? 1UL : 0);

    /// <summary>Begins the next series; one that then gets no chunk is left out.</summary>
    /// <param name="canonicalLabels">Greater than those of the series before; the order is checked when the series ends.</param>
    public void BeginSeries(ReadOnlySpan<byte> canonicalLabels)
    {
        ObjectDisposedException.ThrowIf(finished, this);
        EndSeries();
        labels = canonicalLabels.ToArray();
        open = true;
    }

    /// <summary>Adds a chunk to the series at hand.</summary>
    /// <param name="encoding">How the payload is encoded. Not <see cref="ChunkEncoding.Dense"/>, whose chunks refer to others of their block: those come by <see cref="CopyChunk"/>.</param>
    /// <param name="firstMs">Time of its first sample, after the last of the chunk before.</param>
    /// <param name="lastMs">Time of its last sample.</param>
    /// <param name="data">The payload, starting with its sample count (16 bits, big-endian).</param>
    /// <exception cref="InvalidDataException">The chunk had to be decoded, and is damaged.</exception>
    public void AddChunk(ChunkEncoding encoding, long firstMs, long lastMs, ReadOnlySpan<byte> data)
    {
        CheckOpen();
        if (data.Length < 2 || encoding is ChunkEncoding.Dense or ChunkEncoding.TimeColumn)
        {
            throw new ArgumentException($"{data.Length} bytes of encoding {(byte)encoding} are no chunk that stands by itself", nameof(data));
        }

        if (encoding == ChunkEncoding.Xor && description.FloatEncoding == ChunkEncoding.Dense)
        {
            var before = pending.Count;
            XorChunk.Decode(data, TimeRange.All, pending);
            CheckOrder(before);
            return;
        }

        WritePending();
        var samples = encoding == AggregateChunk.Encoding ? (uint)AggregateChunk.Count(data) : BinaryPrimitives.ReadUInt16BigEndian(data);
        Note(segments.Write(encoding, data), firstMs, lastMs, samples, encoding is ChunkEncoding.Histogram or ChunkEncoding.FloatHistogram);
    }

    /// <summary>Adds a series with its chunks.</summary>
    public void AddSeries(ReadOnlySpan<byte> canonicalLabels, ReadOnlySpan<BlockChunk> seriesChunks)
    {
        BeginSeries(canonicalLabels);
        foreach (var chunk in seriesChunks)
        {
            AddChunk(chunk.Encoding, chunk.MinMs, chunk.MaxMs, chunk.Data.Span);
        }
    }

    /// <summary>Completes the block and makes it appear; returns its description.</summary>
    /// <exception cref="InvalidOperationException">The block has no series, or a sample lies outside the time it was told to cover.</exception>
    public BlockMeta Finish()
    {
        ObjectDisposedException.ThrowIf(finished, this);
        EndSeries();
        if (seriesCount == 0)
        {
            throw new InvalidOperationException($"block {Ulid} has no series; an empty block is not written");
        }

        var from = description.MinTimeMs ?? minMs;
        var end = description.MaxTimeMs ?? checked(maxMs + 1);
        if (minMs < from || maxMs >= end)
        {
            throw new InvalidOperationException($"block {Ulid} covers {from} to {end} (exclusive) but has samples from {minMs} to {maxMs}");
        }

        finished = true;
        segments.Finish();
        index.Finish();
        index.Dispose();
        WriteDurably(Tombstones.FileName, Tombstones.None.ToBytes());
        var meta = Describe(from, end);
        DurableFile.FlushFolder(Path.Combine(unfinished, ChunkSegments.DirectoryName));
        meta = FileSeals.Sealed(meta, unfinished);
        WriteDurably(BlockMeta.FileName, meta.ToJson());
        DurableFile.FlushFolder(unfinished);
        Directory.Move(unfinished, Path.Combine(parent, Ulid.ToString()));
        DurableFile.FlushFolder(parent);
        return meta;
    }

    /// <summary>Removes an unfinished block.</summary>
    public void Dispose()
    {
        pending.Dispose();
        segments.Dispose();
        index.Dispose();
        finished = true;
        if (Directory.Exists(unfinished))
        {
            Directory.Delete(unfinished, recursive: true);
        }
    }

    private void CheckOpen()
    {
        ObjectDisposedException.ThrowIf(finished, this);
        if (!open)
        {
            throw new InvalidOperationException("a chunk needs a series: call BeginSeries first");
        }
    }

    private void Note(ulong reference, long firstMs, long lastMs, uint samples, bool isHistogram)
    {
        floats += isHistogram ? 0UL : samples;
        histograms += isHistogram ? samples : 0UL;
        chunkCount++;
        minMs = Math.Min(minMs, firstMs);
        maxMs = Math.Max(maxMs, lastMs);
        chunks.Add(new ChunkMeta(reference, firstMs, lastMs));
    }

    private void EndSeries()
    {
        WritePending();
        if (chunks.Count > 0)
        {
            index.AddSeries(labels, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(chunks));
            chunks.Clear();
            seriesCount++;
        }

        open = false;
    }

    private BlockMeta Describe(long from, long end) => new()
    {
        Ulid = Ulid,
        MinTime = from,
        MaxTime = end,
        Stats = new BlockStats
        {
            NumSamples = floats + histograms,
            NumFloatSamples = floats,
            NumHistogramSamples = histograms,
            NumSeries = seriesCount,
            NumChunks = chunkCount,
        },
        Compaction = description.Compaction with { Sources = description.Compaction.Sources ?? [Ulid.ToString()] },
        Thanos = description.Thanos is { } thanos ? thanos with { Files = ListFiles() } : null,
        Metrics = hasDense ? (description.Metrics ?? new MetricsMeta()) with { ChunkEncodings = [MetricsMeta.DenseEncoding] } : description.Metrics,
    };

    private List<ThanosFile> ListFiles()
    {
        var files = new List<ThanosFile>();
        foreach (var file in new DirectoryInfo(unfinished).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            files.Add(new ThanosFile(Path.GetRelativePath(unfinished, file.FullName).Replace('\\', '/'), file.Length));
        }

        files.Add(new ThanosFile(BlockMeta.FileName, null));
        files.Sort((a, b) => string.CompareOrdinal(a.RelPath, b.RelPath));
        return files;
    }

    private void WriteDurably(string name, byte[] bytes)
    {
        using var file = new FileStream(Path.Combine(unfinished, name), FileMode.Create, FileAccess.Write, FileShare.None, 1);
        file.Write(bytes);
        file.Flush(flushToDisk: true);
    }
}
