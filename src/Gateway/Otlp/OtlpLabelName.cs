using System.Buffers;
using System.Text;

namespace Metrics.Gateway.Otlp;

/// <summary>Makes label names of attribute keys. Rules: prometheus/otlptranslator 1.0.</summary>
/// <param name="escape">Leave nothing but letters, digits and underscores.</param>
/// <param name="prefixUnderscore">Put <c>key</c> in front of one leading underscore.</param>
/// <param name="keepRuns">Keep runs of underscores.</param>
internal sealed class OtlpLabelName(bool escape, bool prefixUnderscore, bool keepRuns)
{
    private static readonly SearchValues<byte> legal = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"u8);

    /// <summary>The most bytes that a name of so many bytes takes.</summary>
    public static int MaxBytes(int keyBytes) => keyBytes + 4;

    /// <summary>Writes the name; gives its length, or 0 when the key is empty or nothing but underscores is left.</summary>
    public int Write(ReadOnlySpan<byte> key, Span<byte> to)
    {
        // Fast path: a name that is one already, or need not be.
        if (!escape || (!key.ContainsAnyExcept(legal) && !NeedsWork(key)))
        {
            key.CopyTo(to);
            return key.IndexOfAnyExcept((byte)'_') < 0 ? 0 : key.Length;
        }

        var length = Escape(key, to);
        if (length == 0 || to[..length].IndexOfAnyExcept((byte)'_') < 0)
        {
            return 0;
        }

        var prefix = char.IsAsciiDigit((char)to[0]) ? "key_"u8
            : prefixUnderscore && to[0] == '_' && (length == 1 || to[1] != '_') ? "key"u8
            : default;
        to[..length].CopyTo(to[prefix.Length..]);
        prefix.CopyTo(to);
        return length + prefix.Length;
    }

    private bool NeedsWork(ReadOnlySpan<byte> key) =>
        !key.IsEmpty && (char.IsAsciiDigit((char)key[0]) || (prefixUnderscore && key[0] == '_' && !key.StartsWith("__"u8)) || (!keepRuns && key.IndexOf("__"u8) >= 0));

    private int Escape(ReadOnlySpan<byte> key, Span<byte> to)
    {
        // Names in double underscores are reserved, and stay so when runs are collapsed.
        var isReserved = !keepRuns && key.Length >= 4 && key.StartsWith("__"u8) && key.EndsWith("__"u8);
        var rest = isReserved ? key[2..^2] : key;
        var length = 0;
        if (isReserved)
        {
            to[length++] = (byte)'_';
            to[length++] = (byte)'_';
        }

        var afterUnderscore = false;
        while (!rest.IsEmpty)
        {
            // Bytes that are no UTF-8 count as one character each.
            var consumed = rest[0] < 0x80 || Rune.DecodeFromUtf8(rest, out _, out var bytes) != OperationStatus.Done ? 1 : bytes;
            var isLegal = char.IsAsciiLetterOrDigit((char)rest[0]);
            if (isLegal || keepRuns || !afterUnderscore)
            {
                to[length++] = isLegal ? rest[0] : (byte)'_';
            }

            afterUnderscore = !isLegal;
            rest = rest[consumed..];
        }

        if (isReserved)
        {
            to[length++] = (byte)'_';
            to[length++] = (byte)'_';
        }

        return length;
    }
}
