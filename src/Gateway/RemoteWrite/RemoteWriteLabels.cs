using Metrics.Cluster;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Labels as remote write 1.0 has them: fields <c>Label { string name = 1; string value = 2; }</c>, one after another.</summary>
internal readonly struct RemoteWriteLabels : ILabelFormat
{
    /// <inheritdoc/>
    public static bool TryNext(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        name = default;
        value = default;
        if (rest.IsEmpty)
        {
            return false;
        }

        // The tag was checked when the series was located; its varint may still be longer than a byte.
        Varint.Read(ref rest);
        var label = Take(ref rest);
        while (!label.IsEmpty)
        {
            var tag = Varint.Read(ref label);
            switch (tag)
            {
                case (1 << 3) | (int)WireType.Bytes:
                    name = Take(ref label);
                    break;
                case (2 << 3) | (int)WireType.Bytes:
                    value = Take(ref label);
                    break;
                default:
                    throw new WireFormatException(WireError.BadTag, 0, $"a label has the unknown tag {tag}");
            }
        }

        return true;
    }

    private static ReadOnlySpan<byte> Take(scoped ref ReadOnlySpan<byte> from)
    {
        var length = Varint.Read(ref from);
        if (length > (ulong)from.Length)
        {
            throw new WireFormatException(WireError.Truncated, 0, $"a label declares {length} bytes, {from.Length} are left");
        }

        var text = from[..(int)length];
        from = from[(int)length..];
        return text;
    }
}
