using System.Text;

namespace Metrics.ObjectStore;

/// <summary>What a key may be, the same in every store, so that data can move from one to the other.</summary>
public static class ObjectKey
{
    /// <summary>S3's bound on a whole key, in UTF-8 bytes; the store's own prefix counts too.</summary>
    public const int MaxBytes = 1024;

    /// <summary>What file systems bound the name of one file to, in UTF-8 bytes.</summary>
    public const int MaxPartBytes = 255;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Why a text is no key, or null when it is one.</summary>
    /// <remarks>
    /// A key is a relative path: parts joined by <c>/</c>, none empty, <c>.</c> or <c>..</c>. No control characters (XML listings cannot carry them),
    /// no backslash (a separator elsewhere), no half surrogate pairs (they have no UTF-8).
    /// </remarks>
    public static string? Problem(ReadOnlySpan<char> key)
    {
        if (key.IsEmpty)
        {
            return "a key is not empty";
        }

        if (key.Length > MaxBytes)
        {
            return $"a key has at most {MaxBytes} bytes";
        }

        var bytes = 0;
        foreach (var range in key.Split('/'))
        {
            var part = key[range];
            if (PartProblem(part, out var partBytes) is { } problem)
            {
                return problem;
            }

            bytes += partBytes + 1;
        }

        return bytes - 1 > MaxBytes ? $"a key has at most {MaxBytes} bytes, this one {bytes - 1}" : null;
    }

    /// <summary>Refuses what is no key.</summary>
    /// <exception cref="ArgumentException">It is none; the message says why.</exception>
    internal static void Check(string key)
    {
        if (Problem(key) is { } problem)
        {
            throw new ArgumentException($"\"{Printable(key)}\" is no object key: {problem}", nameof(key));
        }
    }

    /// <summary>Refuses what is no prefix to list: not empty, and not a key followed by a slash.</summary>
    /// <exception cref="ArgumentException">It is none; the message says why.</exception>
    internal static void CheckPrefix(string prefix)
    {
        if (prefix.Length == 0)
        {
            return;
        }

        var problem = prefix[^1] != '/' ? "it ends in no slash" : Problem(prefix.AsSpan(0, prefix.Length - 1));
        if (problem is not null)
        {
            throw new ArgumentException($"\"{Printable(prefix)}\" is no prefix of keys: {problem}", nameof(prefix));
        }
    }

    private static string? PartProblem(ReadOnlySpan<char> part, out int bytes)
    {
        bytes = 0;
        if (part.IsEmpty)
        {
            return "a part between slashes is not empty";
        }

        if (part is "." or "..")
        {
            return "a part is not . or ..";
        }

        if (part.ContainsAnyInRange('\u0000', '\u001f') || part.ContainsAnyInRange('\u007f', '\u009f') || part.ContainsAny('\\', '\ufffe', '\uffff'))
        {
            return "it has a control character or a backslash";
        }

        try
        {
            bytes = StrictUtf8.GetByteCount(part);
        }
        catch (EncoderFallbackException)
        {
            return "it is not valid Unicode";
        }

        return bytes > MaxPartBytes ? $"a part between slashes has at most {MaxPartBytes} bytes, this one {bytes}" : null;
    }

    private static string Printable(string key)
    {
        var shown = key.Length > 200 ? key.AsSpan(0, 200) : key;
        return string.Create(shown.Length, key, static (span, text) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = char.IsControl(text[i]) ? '?' : text[i];
            }
        });
    }
}
