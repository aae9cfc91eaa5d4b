using System.Diagnostics.CodeAnalysis;

namespace Metrics.Cluster;

/// <summary>What a silo tells the others about itself, carried by its name in the membership table: so whoever sees a silo knows it, without asking.</summary>
/// <param name="Node">Its disk; empty for a silo that holds no shards.</param>
/// <param name="Zone">The rack, room or availability zone that it shares a fate with; empty for none.</param>
/// <param name="Http">Where it takes HTTP, host and port; empty when it takes none.</param>
public sealed record SiloCard(NodeId Node, string Zone, string Http)
{
    private const char Separator = ';';

    /// <summary>Whose shards it is there for.</summary>
    public TenantPool Pool { get; init; } = TenantPool.Everybody;

    /// <summary>True when it may own shards and hold logs.</summary>
    public bool HoldsShards => Node.Value.Length > 0;

    /// <summary>The card as a silo's name.</summary>
    public override string ToString() => $"node={Node}{Separator}zone={Zone}{Separator}http={Http}" + (Pool.IsEverybodys ? "" : $"{Separator}tenants={Pool}");

    /// <summary>Reads a silo's name; false for one that is no card, as another program's.</summary>
    public static bool TryParse(string? name, [NotNullWhen(true)] out SiloCard? card)
    {
        card = null;
        if (name?.Split(Separator) is [var node, var zone, var http, .. var more] && more.Length <= 1 && Value(node, "node=") is { } n && Value(zone, "zone=") is { } z && Value(http, "http=") is { } h)
        {
            // Silos of everybody leave their pool out, as those did that knew no others.
            var pool = more is [var tenants] ? Value(tenants, "tenants=") : "";
            card = pool is null ? null : new SiloCard(new NodeId(n), z, h) { Pool = TenantPool.Parse(pool) };
        }

        return card is not null;

        static string? Value(string part, string key) => part.StartsWith(key, StringComparison.Ordinal) ? part[key.Length..] : null;
    }

    /// <summary>Why a text is no zone, or null when it is one.</summary>
    public static string? ZoneProblem(string zone) =>
        zone.Length > 64 ? $"a zone has at most 64 characters, this one {zone.Length}"
        : zone.Contains(Separator) || zone.Any(char.IsControl) ? "a zone has no ';' and no control characters"
        : null;
}
