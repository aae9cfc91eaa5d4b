using System.Text.Json;
using System.Text.Json.Serialization;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A tenant's hash ranges at one version; together they cover the hash space once.</summary>
/// <remarks>
/// Persisted as <c>shards.json</c>: <c>{"version":1,"shards":["0b0","0b1"]}</c>, and while a change is under way what it is. Replaced whole: in the tenant's folder by rename, in object storage by
/// compare-and-swap. A change takes two versions: one that announces it, and the next, which has the new ranges or, when it was given up, the old ones.
/// </remarks>
public sealed class ShardMap
{
    /// <summary>The file's name.</summary>
    public const string FileName = "shards.json";

    /// <summary>The largest map read.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>The most shards of a tenant; splits stop there.</summary>
    public const int MaxShards = 4096;

    private ShardMap(long version, HashRange[] ranges, ShardMapChange? change = null, DateTimeOffset? changedAt = null)
    {
        Version = version;
        Ranges = ranges;
        Change = change;
        ChangedAt = changedAt;
    }

    /// <summary>Rises with each change.</summary>
    public long Version { get; }

    /// <summary>The ranges, ascending.</summary>
    public IReadOnlyList<HashRange> Ranges { get; }

    /// <summary>The change under way, or null.</summary>
    public ShardMapChange? Change { get; }

    /// <summary>When the ranges last changed; null for a first map.</summary>
    public DateTimeOffset? ChangedAt { get; }

    /// <summary>True when a range is one of the map's.</summary>
    public bool Has(HashRange range) => Ranges.Contains(range);

    /// <summary>The next version: the same ranges, and a change that is under way.</summary>
    /// <exception cref="ArgumentException">One is under way already, a parent is no range of the map, or children do not cover what parents do.</exception>
    public ShardMap Announcing(ShardMapChange change)
    {
        if (Change is not null)
        {
            throw new ArgumentException($"another change is under way: {Change}", nameof(change));
        }

        foreach (var parent in change.Parents)
        {
            if (!Has(parent))
            {
                throw new ArgumentException($"there is no shard {parent}", nameof(change));
            }
        }

        var next = new ShardMap(Version + 1, [.. Ranges], change, ChangedAt);
        if (next.Changed().Length > MaxShards)
        {
            throw new ArgumentException($"a tenant has at most {MaxShards} shards", nameof(change));
        }

        return next;
    }

    /// <summary>The next version after the one that announced a change: with the new ranges, or with the old ones when it was given up.</summary>
    public ShardMap Decided(bool isDone, DateTimeOffset at) => isDone ? new ShardMap(Version + 1, Changed(), null, at) : new ShardMap(Version + 1, [.. Ranges], null, ChangedAt);

    /// <summary>This map with a change noted that may or may not be announced in object storage: the copy on a machine that is about to announce it.</summary>
    internal ShardMap Noting(ShardMapChange? change) => new(Version, [.. Ranges], change, ChangedAt);

    /// <summary>A first map of equal ranges; the count is a power of two up to 65536.</summary>
    public static ShardMap Create(int shards)
    {
        if (shards < 1 || !System.Numerics.BitOperations.IsPow2(shards))
        {
            throw new ArgumentOutOfRangeException(nameof(shards), shards, "want a power of two");
        }

        return new ShardMap(1, HashRange.Partition(System.Numerics.BitOperations.Log2((uint)shards)));
    }

    /// <summary>Reads the map of a tenant's folder, or null when the folder has none.</summary>
    /// <exception cref="InvalidDataException">The file is no shard map.</exception>
    public static ShardMap? Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        return Read(File.ReadAllBytes(path), path);
    }

    /// <summary>Reads the bytes of a map.</summary>
    /// <exception cref="InvalidDataException">They are none; the message names the source.</exception>
    public static ShardMap Read(ReadOnlySpan<byte> json, string source)
    {
        try
        {
            var file = JsonSerializer.Deserialize<MapFile>(json, JsonSerializerOptions.Web)
                ?? throw new FormatException("it is null");
            var ranges = Array.ConvertAll(file.Shards, HashRange.Parse);
            Array.Sort(ranges);
            CheckCover(ranges);
            var map = new ShardMap(file.Version, ranges, file.Change?.Read(), file.ChangedAt);
            if (map.Change is not null)
            {
                CheckCover(map.Changed());
            }

            return map;
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"{source} is no shard map: {e.Message}", e);
        }
    }

    /// <summary>Writes the map into a tenant's folder; durable when it returns.</summary>
    public void Save(string folder) => DurableFile.Replace(Path.Combine(folder, FileName), ToJson());

    /// <summary>The bytes of the map.</summary>
    public byte[] ToJson()
    {
        var change = Change is { } c ? new ChangeFile(c.Id, Texts(c.Parents), Texts(c.Children), c.At) : null;
        return JsonSerializer.SerializeToUtf8Bytes(new MapFile(Version, Texts(Ranges), change, ChangedAt), options);
    }

    private static string[] Texts(IReadOnlyList<HashRange> ranges) => [.. ranges.Select(static r => r.ToString())];

    private HashRange[] Changed()
    {
        HashRange[] changed = [.. Ranges.Where(r => !Change!.Parents.Contains(r)), .. Change!.Children];
        Array.Sort(changed);
        try
        {
            CheckCover(changed);
        }
        catch (FormatException e)
        {
            throw new ArgumentException($"{Change} is no change of this map: {e.Message}", e);
        }

        return changed;
    }

    private static void CheckCover(HashRange[] ranges)
    {
        var next = UInt128.Zero;
        foreach (var range in ranges)
        {
            if (range.First != next)
            {
                throw new FormatException($"the ranges leave a gap or overlap at {range}");
            }

            next += UInt128.One << (64 - range.Bits);
        }

        if (next != UInt128.One << 64)
        {
            throw new FormatException("the ranges do not reach the end of the hash space");
        }
    }

    private static readonly JsonSerializerOptions options = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private sealed record MapFile(long Version, string[] Shards, ChangeFile? Change = null, DateTimeOffset? ChangedAt = null);

    private sealed record ChangeFile(string Id, string[] Parents, string[] Children, DateTimeOffset At)
    {
        public ShardMapChange Read() => new(Id, Array.ConvertAll(Parents, HashRange.Parse), Array.ConvertAll(Children, HashRange.Parse), At);
    }
}
