using System.Text;
using Metrics.Model;

namespace Metrics.Cluster.Tests;

/// <summary>A label format for tests: uvarint-prefixed name and value, in any order, anything allowed.</summary>
public readonly struct PairLabels : ILabelFormat
{
    public static bool TryNext(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        name = default;
        value = default;
        if (rest.IsEmpty)
        {
            return false;
        }

        name = Text(ref rest);
        value = Text(ref rest);
        return true;
    }

    public static byte[] Encode(params (string Name, string Value)[] labels) =>
        EncodeBytes([.. labels.Select(l => (Encoding.UTF8.GetBytes(l.Name), Encoding.UTF8.GetBytes(l.Value)))]);

    public static byte[] EncodeBytes(params (byte[] Name, byte[] Value)[] labels)
    {
        var bytes = new List<byte>();
        Span<byte> length = stackalloc byte[Varint.MaxBytes];
        foreach (var (name, value) in labels)
        {
            foreach (var text in new[] { name, value })
            {
                bytes.AddRange(length[..Varint.Write(length, (ulong)text.Length)]);
                bytes.AddRange(text);
            }
        }

        return [.. bytes];
    }

    private static ReadOnlySpan<byte> Text(scoped ref ReadOnlySpan<byte> from)
    {
        var length = Varint.Read(ref from);
        if (length > (ulong)from.Length)
        {
            throw new FormatException("label text is cut off");
        }

        var text = from[..(int)length];
        from = from[(int)length..];
        return text;
    }
}
