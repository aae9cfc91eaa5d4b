using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Labels that are held as symbols, in canonical form.</summary>
internal static class SymbolText
{
    /// <summary>Writes labels to <paramref name="scratch"/>, which is replaced by a larger one when too small.</summary>
    public static ReadOnlySpan<byte> Write(SymbolTable texts, SeriesSymbols labels, ref byte[] scratch)
    {
        var length = 0;
        for (var i = 0; i < labels.Count; i++)
        {
            Append(texts[labels.Names[i]], ref scratch, ref length);
            Append(texts[labels.Values[i]], ref scratch, ref length);
        }

        return scratch.AsSpan(0, length);
    }

    private static void Append(ReadOnlySpan<byte> text, ref byte[] to, ref int length)
    {
        if (to.Length < length + Varint.MaxBytes + text.Length)
        {
            Array.Resize(ref to, (2 * length) + Varint.MaxBytes + text.Length);
        }

        length += Varint.Write(to.AsSpan(length), (ulong)text.Length);
        text.CopyTo(to.AsSpan(length));
        length += text.Length;
    }
}
