using System.Text.Json;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A tenant's hash ranges at one version; together they cover the hash space once.</summary>
/// <remarks>Persisted as <c>shards.json</c> in the tenant's folder: <c>{"version":1,"shards":["0b0","0b1"]}</c>. Replaced whole, by rename.</remarks>
public sealed class ShardMap
{
    /// <summary>The file's name.</summary>
    public const string FileName = "shards.json";

    /// <summary>The largest map read.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    private ShardMap(long version, HashRange[] ranges)
    {
        Version = version;
        Ranges = ranges;
    }

    /// <summary>Rises with each change.</summary>
    public long Version { get; }

    /// <summary>The ranges, ascending.</summary>
    public IReadOnlyList<HashRange> Ranges { get; }

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
            return new ShardMap(file.Version, ranges);
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
        var texts = new string[Ranges.Count];
        for (var i = 0; i < texts.Length; i++)
        {
            texts[i] = Ranges[i].ToString();
        }

        return JsonSerializer.SerializeToUtf8Bytes(new MapFile(Version, texts), JsonSerializerOptions.Web);
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

    private sealed record MapFile(long Version, string[] Shards);
}
