using System.Diagnostics.CodeAnalysis;

namespace Metrics.Model;

/// <summary>The name of an isolated name space of series.</summary>
/// <remarks>
/// 1 to 150 characters of <c>a-z A-Z 0-9 ! - _ . * ' ( )</c>, not <c>.</c> or <c>..</c>, not starting with <c>__</c>: Mimir's rules, so that a tenant can
/// move between the two and its name is a safe folder and object name. <c>|</c> separates tenants in a cross-tenant query and so is never part of one.
/// </remarks>
public readonly record struct TenantId : IComparable<TenantId>
{
    /// <summary>The longest name, in characters.</summary>
    public const int MaxLength = 150;

    private readonly string? value;

    private TenantId(string value) => this.value = value;

    /// <summary>The name. Empty only for <c>default(TenantId)</c>, which no parsed id equals.</summary>
    public string Value => value ?? "";

    /// <summary>True when it stands for several tenants in a cross-tenant read; no parsed id does.</summary>
    public bool IsJoined => Value.Contains('|');

    /// <summary>The tenants that it stands for: itself, or those it was joined of.</summary>
    public IEnumerable<TenantId> Members => IsJoined ? Value.Split('|').Select(static m => new TenantId(m)) : [this];

    /// <summary>One id for several tenants, for a read that crosses them: their names, each once and ascending, with <c>|</c> between.</summary>
    public static TenantId Join(IEnumerable<TenantId> tenants) => new(string.Join('|', tenants.Select(static t => t.Value).Order(StringComparer.Ordinal).Distinct(StringComparer.Ordinal)));

    /// <summary>Parses the <see cref="Value"/> of an id that may stand for several tenants.</summary>
    /// <exception cref="FormatException">As of <see cref="Parse"/>, for any of them.</exception>
    public static TenantId ParseJoined(string text) => Join(text.Split('|').Select(Parse));

    /// <summary>Parses a name.</summary>
    /// <exception cref="FormatException">The name breaks the rules; the message says which.</exception>
    public static TenantId Parse(string text) => TryParse(text, out var id, out var error) ? id : throw new FormatException(error);

    /// <summary>Parses a name; on failure <paramref name="error"/> says which rule is broken.</summary>
    public static bool TryParse(string text, out TenantId id, [NotNullWhen(false)] out string? error)
    {
        id = default;
        error = Check(text);
        if (error is null)
        {
            id = new TenantId(text);
        }

        return error is null;
    }

    /// <inheritdoc/>
    public int CompareTo(TenantId other) => string.CompareOrdinal(Value, other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value;

    private static string? Check(string text)
    {
        if (text.Length == 0)
        {
            return "tenant id is empty";
        }

        if (text.Length > MaxLength)
        {
            return $"tenant id is too long: {text.Length} characters, limit {MaxLength}";
        }

        if (text is "." or "..")
        {
            return $"tenant id '{text}' is not allowed";
        }

        if (text.StartsWith("__", StringComparison.Ordinal))
        {
            return $"tenant id '{text}' is not allowed: names that start with '__' are reserved";
        }

        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"!-_.*'()".Contains(c))
            {
                return $"tenant id contains the unsupported character '{c}'; allowed are letters, digits and ! - _ . * ' ( )";
            }
        }

        return null;
    }
}
