using System.IO.Enumeration;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>The tenants that a silo is there for: everybody's, or some tenants' own, by name or with <c>*</c> and <c>?</c> for any characters and any one.</summary>
/// <remarks>
/// A tenant whom some silo names is "hard": its shards and replicas are placed on the silos that name it, and nobody else's are. The others are "soft" and share the silos that name nobody. It gives way to being there at all:
/// while none of the silos that suit a tenant takes part, those of everybody do, and at the last anybody's.
/// </remarks>
public sealed class TenantPool : IEquatable<TenantPool>
{
    /// <summary>The longest text of a pool, which travels in a silo's name.</summary>
    public const int MaxLength = 1024;

    private readonly string text;
    private readonly string[] patterns;

    private TenantPool(string text)
    {
        this.text = text;
        patterns = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }

    /// <summary>Of a silo that is there for whoever has no silos of its own.</summary>
    public static TenantPool Everybody { get; } = new("");

    /// <summary>True for a silo that is nobody's own.</summary>
    public bool IsEverybodys => patterns.Length == 0;

    /// <summary>The pool of tenants given by name or pattern; everybody's for none.</summary>
    public static TenantPool Of(IEnumerable<string> tenants) => Parse(string.Join(',', tenants));

    /// <summary>Reads what <see cref="ToString"/> writes: names and patterns, separated by commas.</summary>
    public static TenantPool Parse(string text) => text.Length == 0 ? Everybody : new(text);

    /// <summary>Why a text is no pool, or null when it is one.</summary>
    public static string? Problem(string text) =>
        text.Length > MaxLength ? $"the tenants of a silo take at most {MaxLength} characters, these {text.Length}"
        : text.Contains(';') || text.Any(char.IsControl) ? "names of tenants have no ';' and no control characters"
        : null;

    /// <summary>The silos that suit a tenant, of those that take part: its own, or else everybody's, or else any.</summary>
    public static IReadOnlyList<ShardHost> Suiting(TenantId tenant, IReadOnlyCollection<ShardHost> hosts)
    {
        var rank = hosts.Count == 0 ? 0 : hosts.Min(h => h.Pool.RankFor(tenant));
        return [.. hosts.Where(h => h.Pool.RankFor(tenant) == rank)];
    }

    /// <summary>How far a silo is from being the tenant's: 0 for its own, 1 for everybody's, 2 for others'.</summary>
    public int RankFor(TenantId tenant) => IsEverybodys ? 1 : patterns.Any(p => FileSystemName.MatchesSimpleExpression(p, tenant.Value, ignoreCase: false)) ? 0 : 2;

    /// <inheritdoc/>
    public bool Equals(TenantPool? other) => other is not null && other.text == text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TenantPool);

    /// <inheritdoc/>
    public override int GetHashCode() => text.GetHashCode(StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => text;
}
