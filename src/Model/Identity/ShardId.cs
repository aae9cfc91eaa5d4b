namespace Metrics.Model;

/// <summary>A shard: one tenant's series in one hash range.</summary>
public readonly record struct ShardId(TenantId Tenant, HashRange Range)
{
    /// <summary><c>tenant/range</c>, e.g. <c>team-a/0b01</c>.</summary>
    public override string ToString() => $"{Tenant}/{Range}";
}
