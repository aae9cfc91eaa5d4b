using System.Text.Json;
using System.Text.Json.Serialization;

namespace Metrics.Storage;

/// <summary>What <c>meta.json</c> says of a block, in Prometheus's names.</summary>
public sealed record BlockMeta
{
    /// <summary>The file's name inside a block.</summary>
    public const string FileName = "meta.json";

    /// <summary>The block's name.</summary>
    [JsonConverter(typeof(UlidConverter))]
    public required Ulid Ulid { get; init; }

    /// <summary>The first instant covered, Unix milliseconds, inclusive.</summary>
    public required long MinTime { get; init; }

    /// <summary>The end of the time covered, exclusive.</summary>
    public required long MaxTime { get; init; }

    /// <summary>How much the block holds.</summary>
    public BlockStats Stats { get; init; } = new();

    /// <summary>What the block was made from.</summary>
    public BlockCompaction Compaction { get; init; } = new();

    /// <summary>The version of the block format; 1.</summary>
    public int Version { get; init; } = 1;

    /// <summary>What Thanos adds; null when absent.</summary>
    public ThanosMeta? Thanos { get; init; }

    /// <summary>What we add; null when absent. Other programs ignore it.</summary>
    public MetricsMeta? Metrics { get; init; }

    /// <summary>Reads the file of a block directory.</summary>
    /// <exception cref="InvalidDataException">The file is missing or damaged; the message names it.</exception>
    public static BlockMeta Read(string directory)
    {
        var path = Path.Combine(directory, FileName);
        try
        {
            return Parse(File.ReadAllBytes(path), path);
        }
        catch (FileNotFoundException e)
        {
            throw new InvalidDataException($"{path}: offset 0: the file is missing", e);
        }
    }

    /// <summary>Reads the file's bytes; <paramref name="path"/> is what messages call it.</summary>
    /// <exception cref="InvalidDataException">They are damaged.</exception>
    public static BlockMeta Parse(byte[] json, string path)
    {
        try
        {
            var meta = JsonSerializer.Deserialize(json, BlockMetaJson.Default.BlockMeta)
                ?? throw new InvalidDataException($"{path}: offset 0: null is not a block's description");
            if (meta.Version != 1)
            {
                throw new InvalidDataException($"{path}: offset 0: block version is {meta.Version}, only 1 is read");
            }

            if (meta.Metrics?.Seal is not null)
            {
                BlockSeal.CheckChecksum(json, path);
            }

            return meta.WithoutNulls(path);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: offset {e.BytePositionInLine ?? 0} of line {(e.LineNumber ?? 0) + 1}: {e.Message}", e);
        }
    }

    /// <summary>The file's bytes; a seal gets the checksum that holds for them.</summary>
    public byte[] ToJson()
    {
        if (Metrics?.Seal is not { } seal)
        {
            return JsonSerializer.SerializeToUtf8Bytes(this, BlockMetaJson.Default.BlockMeta);
        }

        var json = JsonSerializer.SerializeToUtf8Bytes(this with { Metrics = Metrics with { Seal = seal with { MetaChecksum = BlockSeal.NoChecksum } } }, BlockMetaJson.Default.BlockMeta);
        BlockSeal.WriteChecksum(json);
        return json;
    }

    // JSON's null, which Go writes for what is empty, is not the absence of a key.
    private BlockMeta WithoutNulls(string path)
    {
        if (Metrics?.Seal is { } seal && (seal.Files is null || seal.Files.Any(f => f?.Path is null)))
        {
            throw new InvalidDataException($"{path}: offset 0: the seal lacks files");
        }

        return this with
        {
            Stats = Stats ?? new(),
            Compaction = Compaction ?? new(),
            Thanos = Thanos is { } thanos
                ? thanos with
                {
                    Labels = thanos.Labels ?? new Dictionary<string, string>(StringComparer.Ordinal),
                    Downsample = thanos.Downsample ?? new(0),
                    Source = thanos.Source ?? "",
                    Files = thanos.Files?.Where(f => f is not null).ToList(),
                }
                : null,
        };
    }

    /// <summary>A block name as JSON text.</summary>
    public sealed class UlidConverter : JsonConverter<Ulid>
    {
        /// <inheritdoc/>
        public override Ulid Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            Storage.Ulid.TryParse(reader.GetString(), out var ulid) ? ulid : throw new JsonException("ulid is not a ULID");

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, Ulid value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}

/// <summary>How much a block holds.</summary>
public sealed record BlockStats
{
    /// <summary>Samples of all kinds.</summary>
    public ulong NumSamples { get; init; }

    /// <summary>Float samples.</summary>
    public ulong NumFloatSamples { get; init; }

    /// <summary>Native histograms.</summary>
    public ulong NumHistogramSamples { get; init; }

    /// <summary>Series.</summary>
    public ulong NumSeries { get; init; }

    /// <summary>Chunks.</summary>
    public ulong NumChunks { get; init; }

    /// <summary>Deletions not yet carried out.</summary>
    public ulong NumTombstones { get; init; }
}

/// <summary>What a block was made from.</summary>
public sealed record BlockCompaction
{
    /// <summary>1 for a block cut from a head, more for one made of blocks.</summary>
    public int Level { get; init; } = 1;

    /// <summary>The first-level blocks whose samples it holds, by name.</summary>
    public IReadOnlyList<string>? Sources { get; init; }

    /// <summary>The blocks it was made of.</summary>
    public IReadOnlyList<BlockParent>? Parents { get; init; }

    /// <summary>True when every series was deleted and the block may go.</summary>
    public bool Deletable { get; init; }

    /// <summary>Why it was made, e.g. <c>from-out-of-order</c>.</summary>
    public IReadOnlyList<string>? Hints { get; init; }
}

/// <summary>A block that another was made of.</summary>
/// <param name="Ulid">Its name.</param>
/// <param name="MinTime">Its first instant.</param>
/// <param name="MaxTime">Its end, exclusive.</param>
public sealed record BlockParent(string Ulid, long MinTime, long MaxTime);

/// <summary>The section that Thanos adds to <c>meta.json</c>.</summary>
public sealed record ThanosMeta
{
    /// <summary>The version of the section.</summary>
    public int Version { get; init; } = 1;

    /// <summary>External labels of every series of the block.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Whether and how samples were reduced.</summary>
    public ThanosDownsample Downsample { get; init; } = new(0);

    /// <summary>Which program made the block.</summary>
    public string Source { get; init; } = "";

    /// <summary>The files of the block.</summary>
    public IReadOnlyList<ThanosFile>? Files { get; init; }
}

/// <summary>How far samples were reduced.</summary>
/// <param name="Resolution">Milliseconds a sample; 0 for raw samples.</param>
public sealed record ThanosDownsample(long Resolution);

/// <summary>The section that this program adds to <c>meta.json</c>.</summary>
public sealed record MetricsMeta
{
    /// <summary>The hash range whose series the block holds, as <see cref="Model.HashRange"/> writes it; null when it was not made for one.</summary>
    public string? HashRange { get; init; }

    /// <summary>How much of the shard's log is in blocks once this one is; null for a block that says nothing about it.</summary>
    public LogCut? Cut { get; init; }

    /// <summary>Encodings of its chunks that other programs can't read; null when there is none.</summary>
    public IReadOnlyList<string>? ChunkEncodings { get; init; }

    /// <summary>What <see cref="ChunkEncodings"/> calls dense chunks.</summary>
    public const string DenseEncoding = "dense";

    /// <summary>How the files were when the block was finished; null in blocks of other programs, which drop it when they write the file anew.</summary>
    public BlockSeal? Seal { get; init; }
}

/// <summary>Samples before a time that stand in records before a number are in blocks; late ones in later records are not.</summary>
/// <param name="EndMs">The time, Unix milliseconds, exclusive.</param>
/// <param name="FirstRecord">The first record of the log that is not covered.</param>
/// <param name="Log">Which log: record numbers of another one mean nothing.</param>
public readonly record struct LogCut(long EndMs, long FirstRecord, string Log);

/// <summary>A file of a block.</summary>
/// <param name="RelPath">Its path inside the block.</param>
/// <param name="SizeBytes">Its size; null for <c>meta.json</c> itself.</param>
public sealed record ThanosFile([property: JsonPropertyName("rel_path")] string RelPath, [property: JsonPropertyName("size_bytes")] long? SizeBytes);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true,
    IndentCharacter = '\t',
    IndentSize = 1)]
[JsonSerializable(typeof(BlockMeta))]
internal sealed partial class BlockMetaJson : JsonSerializerContext;
