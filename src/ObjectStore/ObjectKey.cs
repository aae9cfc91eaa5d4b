namespace Metrics.ObjectStore;

/// <summary>What a key may look like.</summary>
public static class ObjectKey
{
    /// <summary>The longest key, in UTF-8 bytes: S3's.</summary>
    public const int MaxBytes = 1024;

    /// <summary>Throws when a key breaks the rules of <see cref="IObjectStore"/>: such keys come from our own code, never from a user.</summary>
    /// <exception cref="ArgumentException">The key is none.</exception>
    public static void Check(string key)
    {
        if (key.Length == 0 || System.Text.Encoding.UTF8.GetByteCount(key) > MaxBytes)
        {
            throw new ArgumentException($"an object key has 1 to {MaxBytes} bytes; '{key}' has not", nameof(key));
        }

        foreach (var part in key.AsSpan().Split('/'))
        {
            if (key.AsSpan(part) is "" or "." or ".." || key.AsSpan(part).ContainsAny('\\', '\0'))
            {
                throw new ArgumentException($"'{key}' is no object key: a part of it is empty, '.', '..', or holds a backslash or a zero", nameof(key));
            }
        }
    }

    /// <summary>Throws when a prefix is neither empty nor a folder's.</summary>
    /// <exception cref="ArgumentException">The prefix is none.</exception>
    public static void CheckPrefix(string prefix)
    {
        if (prefix.Length > 0)
        {
            if (prefix[^1] != '/')
            {
                throw new ArgumentException($"a prefix is empty or ends in a slash; '{prefix}' does not", nameof(prefix));
            }

            Check(prefix[..^1]);
        }
    }
}
