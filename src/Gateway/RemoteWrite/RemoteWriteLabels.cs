using System.Buffers;
using Metrics.Cluster;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Labels as remote write 1.0 has them: fields <c>Label { string name = 1; string value = 2; }</c>, one after another.</summary>
internal readonly struct RemoteWriteLabels : ILabelFormat
{
    private const byte BytesOne = (1 << 3) | (byte)WireType.Bytes;
    private const byte BytesTwo = (2 << 3) | (byte)WireType.Bytes;

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
                case BytesOne:
                    name = Take(ref label);
                    break;
                case BytesTwo:
                    value = Take(ref label);
                    break;
                default:
                    throw new WireFormatException(WireError.BadTag, 0, $"a label has the unknown tag {tag}");
            }
        }

        return true;
    }

    /// <summary>Appends one label in that layout.</summary>
    public static void Append(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var length = Length(name, value);
        var span = to.GetSpan(length + 1 + Varint.MaxBytes);
        span[0] = BytesOne;
        var at = 1 + Varint.Write(span[1..], (ulong)length);
        at += WriteText(span[at..], BytesOne, name);
        at += WriteText(span[at..], BytesTwo, value);
        to.Advance(at);
    }

    /// <summary>The bytes of one label without its own tag and length.</summary>
    public static int Length(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        Varint.Length((ulong)name.Length) + name.Length + Varint.Length((ulong)value.Length) + value.Length + 2;

    private static int WriteText(Span<byte> to, byte tag, ReadOnlySpan<byte> text)
    {
        to[0] = tag;
        var at = 1 + Varint.Write(to[1..], (ulong)text.Length);
        text.CopyTo(to[at..]);
        return at + text.Length;
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
