using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.Rules;

/// <summary>Labels in their canonical form, as a layout that the write path takes.</summary>
internal readonly struct CanonicalLabels : ILabelFormat
{
    /// <inheritdoc/>
    public static bool TryNext(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        if (rest.IsEmpty)
        {
            name = value = default;
            return false;
        }

        name = Take(ref rest);
        value = Take(ref rest);
        return true;
    }

    private static ReadOnlySpan<byte> Take(scoped ref ReadOnlySpan<byte> rest)
    {
        var length = (int)Varint.Read(ref rest);
        var text = rest[..length];
        rest = rest[length..];
        return text;
    }
}
