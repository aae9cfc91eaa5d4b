using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Says from a manifest alone whether there is work on a shard's blocks: so that a shard that nobody calls need not be opened to find out.</summary>
/// <remarks>The same plans that an open shard follows; what they can't know of (a block that can't be read) makes the answer true once too often, and an opening that does nothing.</remarks>
internal static class ArchiveDue
{
    /// <summary>True when retention, merging, downsampling, the removal of what was replaced, or a log that may still be found wants the shard to be opened.</summary>
    public static bool Of(ShardManifest manifest, ArchiveOptions options, DateTimeOffset now)
    {
        if (manifest.LostLogs.Count > 0 || manifest.Retired.Any(r => now - r.At >= options.DeleteDelay) || options.Retention.Expired(manifest.Blocks, now).Any())
        {
            return true;
        }

        var blocks = manifest.Blocks.Where(static b => b.ResolutionMs == 0 || b.Deletions.Count == 0).Select(static b => new PlannedBlock(b.Meta, b.Bytes)).ToList();
        return CompactionPlanner.Next(blocks, options.Compaction, now).Count > 0 || DownsamplePlanner.Next(blocks, options.Downsampling) is not null;
    }
}
