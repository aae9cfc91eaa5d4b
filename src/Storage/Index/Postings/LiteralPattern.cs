using System.Buffers;

namespace Metrics.Storage;

/// <summary>Patterns that are nothing but alternatives of plain text, as dashboards make them from lists: <c>a|b|c</c>.</summary>
internal static class LiteralPattern
{
    private static readonly SearchValues<char> Special = SearchValues.Create(@"\.+*?()[]{}^$");

    /// <summary>The alternatives of a pattern, each once; null when the pattern is more than a list.</summary>
    public static HashSet<string>? Alternatives(string pattern) =>
        pattern.AsSpan().ContainsAny(Special) ? null : new HashSet<string>(pattern.Split('|'), StringComparer.Ordinal);
}
