namespace Metrics.Cluster;

/// <summary>How blocks are rewritten: widened, merged, without what was deleted.</summary>
internal sealed partial class ShardArchive
{
    private Task<bool> CompactOnceAsync(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        return Task.FromResult(false);
    }

    private Task RewriteAsync(IReadOnlyList<ManifestBlock> blocks, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        return Task.CompletedTask;
    }
}
