using System.Text.Json;
using System.Text.Json.Serialization;
using Metrics.Model;
using Metrics.Storage;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster;

/// <summary>The truth about a shard: who owns it and which blocks hold its samples. One small object, replaced only by compare-and-swap (FORMAT.md).</summary>
/// <remarks>Publishing a block, a compaction, a deletion, retention: each is one swap, so a crash leaves the state before or after it, never one between.</remarks>
internal sealed record ShardManifest
{
    /// <summary>The version of the format; 1.</summary>
    public int Version { get; init; } = 1;

    /// <summary>Rises with each owner; a lower one may not swap.</summary>
    public required long Epoch { get; init; }

    /// <summary>Names the opening that holds the epoch, at random, so that an owner recognises a swap of its own whose answer was lost.</summary>
    public required string Owner { get; init; }

    /// <summary>The shard's hash range.</summary>
    public required string HashRange { get; init; }

    /// <summary>The live blocks, by first instant.</summary>
    public IReadOnlyList<ManifestBlock> Blocks { get; init; } = [];

    /// <summary>How much of the log is in blocks; the latest cut first. Cuts that no record of the log can be before are forgotten.</summary>
    public IReadOnlyList<LogCut> Cuts { get; init; } = [];

    /// <summary>Blocks no longer live whose objects remain until no reader can want them.</summary>
    public IReadOnlyList<RetiredBlock> Retired { get; init; } = [];

    /// <summary>The replicated log; null where the log is a local one.</summary>
    public ManifestLog? Log { get; init; }

    /// <summary>Logs that were given up, until all that can still be found of them is in blocks.</summary>
    public IReadOnlyList<LostLog> LostLogs { get; init; } = [];

    /// <summary>The version of the tenant's map that announced the change which this shard is sealed for: until that is given up it takes no writes, and none of its blocks comes or goes.
    /// Null for a shard that is not. Where the map has another version by now the seal means nothing, unless the shard is not in the map.</summary>
    public long? SealedFor { get; init; }

    /// <summary>The version of the tenant's map that announced the change which made this shard of others; null for one that began empty.</summary>
    public long? MadeBy { get; init; }

    /// <summary>The ranges that it was made of, until their manifests let go of what is its own now.</summary>
    public IReadOnlyList<string>? Parents { get; init; }

    /// <summary>The object's bytes.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, ManifestJson.Default.ShardManifest);

    /// <summary>Reads the object.</summary>
    /// <exception cref="InvalidDataException">The bytes are no manifest that this version knows; the message names the source.</exception>
    public static ShardManifest Read(ReadOnlySpan<byte> json, string source)
    {
        try
        {
            var manifest = JsonSerializer.Deserialize(json, ManifestJson.Default.ShardManifest) ?? throw new InvalidDataException($"{source}: null is no manifest");
            return manifest.Version == 1 ? manifest : throw new InvalidDataException($"{source}: manifest version is {manifest.Version}, only 1 is read");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{source}: offset {e.BytePositionInLine ?? 0} of line {(e.LineNumber ?? 0) + 1}: {e.Message}", e);
        }
    }
}

/// <summary>A live block.</summary>
/// <param name="Meta">What its <c>meta.json</c> says.</param>
/// <param name="Files">Its files, so that a reader need not list the store.</param>
/// <param name="Deletions">What is not to be seen any more of it, until it is rewritten.</param>
internal sealed record ManifestBlock(BlockMeta Meta, IReadOnlyList<BlockFile> Files, IReadOnlyList<SeriesDeletion> Deletions)
{
    /// <summary>Tells descriptions of live blocks apart: a block does not change, and its deletions only grow.</summary>
    [JsonIgnore]
    public (Ulid Ulid, int Deletions) Key => (Meta.Ulid, Deletions.Count);

    /// <summary>Bytes of all files.</summary>
    [JsonIgnore]
    public long Bytes => Files.Sum(f => f.Bytes);

    /// <summary>The hashes whose series it may hold.</summary>
    [JsonIgnore]
    public HashRange HashRange => Meta.Metrics?.HashRange is { } text ? HashRange.Parse(text) : HashRange.Everything;

    /// <summary>Milliseconds a sample after downsampling; 0 for raw samples.</summary>
    [JsonIgnore]
    public long ResolutionMs => Meta.Thanos?.Downsample.Resolution ?? 0;

    /// <summary>The description of a finished block in a local directory.</summary>
    public static ManifestBlock Of(string directory, BlockMeta meta) => new(
        meta,
        [.. new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories)
            .Select(f => new BlockFile(Path.GetRelativePath(directory, f.FullName).Replace('\\', '/'), f.Length))
            .OrderBy(f => f.Path, StringComparer.Ordinal)],
        []);
}

/// <summary>A file of a block.</summary>
/// <param name="Path">Below the block's folder, with slashes.</param>
/// <param name="Bytes">Its size.</param>
internal readonly record struct BlockFile(string Path, long Bytes);

/// <summary>A block whose objects may be removed once <paramref name="At"/> is long enough ago.</summary>
/// <param name="Ulid">Its name.</param>
/// <param name="At">When it was taken off the live ones.</param>
/// <param name="HashRange">Of a block that was shared with other shards: theirs and this one's. Its objects go only when none of them has it any more. Null for one that was not.</param>
internal sealed record RetiredBlock(string Ulid, DateTimeOffset At, string? HashRange = null);

/// <summary>Samples of matching series in a range of time, both ends inclusive, that were deleted.</summary>
internal sealed record SeriesDeletion(IReadOnlyList<MatcherText> Matchers, long MinMs, long MaxMs)
{
    /// <summary>The range.</summary>
    [JsonIgnore]
    public TimeRange Range => new(MinMs, MaxMs);
}

/// <summary>A matcher as it is stored.</summary>
/// <param name="Type">How it compares.</param>
/// <param name="Name">The label.</param>
/// <param name="Value">What to compare with.</param>
internal sealed record MatcherText(MatchType Type, string Name, string Value)
{
    /// <summary>The matcher, compiled.</summary>
    public Matcher ToMatcher() => new(Type, Name, Value);

    /// <summary>The text of a matcher.</summary>
    public static MatcherText Of(Matcher matcher) => new(matcher.Type, matcher.Name, matcher.Value);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ShardManifest))]
internal sealed partial class ManifestJson : JsonSerializerContext;
