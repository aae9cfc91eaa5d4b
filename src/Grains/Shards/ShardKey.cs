using Metrics.Model;

namespace Metrics.Grains;

/// <summary>A shard's name as the key of its grain: <c>tenant/range</c>. Neither part holds a slash.</summary>
internal static class ShardKey
{
    /// <summary>The key of a shard.</summary>
    public static string Of(ShardId shard) => shard.ToString();

    /// <summary>The shard of a key.</summary>
    /// <exception cref="FormatException">The text is no key.</exception>
    public static ShardId Parse(string key)
    {
        var slash = key.IndexOf('/');
        return slash > 0 ? new ShardId(TenantId.Parse(key[..slash]), HashRange.Parse(key[(slash + 1)..])) : throw new FormatException($"'{key}' names no shard; want tenant/range");
    }
}
