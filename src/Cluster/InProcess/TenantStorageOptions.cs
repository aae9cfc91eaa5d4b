namespace Metrics.Cluster;

/// <summary>What one tenant has otherwise than the rest; null where it has not.</summary>
public sealed record TenantStorageOptions
{
    /// <summary>As <see cref="StorageOptions.OutOfOrderWindow"/>.</summary>
    public TimeSpan? OutOfOrderWindow { get; init; }

    /// <summary>How long its blocks are kept; all of it takes the place of the general one.</summary>
    public RetentionOptions? Retention { get; init; }
}
