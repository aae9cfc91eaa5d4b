namespace Metrics.Cluster;

/// <summary>Looks for what is left of a shard's lost logs, now and then: a node that stays away must not hold up the work on other shards.</summary>
/// <param name="manifest">The owner's hold on the manifest.</param>
/// <param name="salvage">Tries each member that was not heard.</param>
/// <param name="time">The clock.</param>
internal sealed class ShardSalvage(ManifestFile manifest, LostLogSalvage salvage, TimeProvider time)
{
    /// <summary>How often.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    private long? triedAt;

    /// <summary>Tries, when there is a lost log and the last time was long enough ago.</summary>
    /// <exception cref="EpochLostException">A later owner has the shard.</exception>
    /// <exception cref="IOException">Object storage, or the disk, failed; to be called again.</exception>
    public async Task RunWhenDueAsync(CancellationToken cancellation)
    {
        if (manifest.Current.LostLogs.Count > 0 && (triedAt is not { } at || time.GetElapsedTime(at) >= Every))
        {
            triedAt = time.GetTimestamp();
            await salvage.RunAsync(cancellation);
        }
    }
}
