using System.Collections.Frozen;
using Metrics.Model;

namespace Metrics.Gateway.Security;

/// <summary>Some tenants, or all.</summary>
internal sealed class TenantSet
{
    private readonly FrozenSet<TenantId>? members;

    private TenantSet(FrozenSet<TenantId>? members) => this.members = members;

    /// <summary>Every tenant.</summary>
    public static TenantSet All { get; } = new(null);

    /// <summary>No tenant.</summary>
    public static TenantSet None { get; } = Of([]);

    /// <summary>True for every tenant.</summary>
    public bool IsAll => members is null;

    /// <summary>True when it holds none.</summary>
    public bool IsEmpty => members is { Count: 0 };

    /// <summary>The tenants; none when it is all.</summary>
    public IReadOnlyCollection<TenantId> Members => members ?? FrozenSet<TenantId>.Empty;

    /// <summary>The only one, if there is one.</summary>
    public TenantId? Single => members is { Count: 1 } ? members.Items[0] : null;

    /// <summary>These tenants.</summary>
    public static TenantSet Of(IEnumerable<TenantId> tenants) => new(tenants.ToFrozenSet());

    /// <summary>These and others.</summary>
    public TenantSet With(TenantSet others) => IsAll || others.IsEmpty ? this : others.IsAll || IsEmpty ? others : Of(members!.Concat(others.members!));

    /// <summary>True when it holds a tenant.</summary>
    public bool Contains(TenantId tenant) => members is null || members.Contains(tenant);
}
