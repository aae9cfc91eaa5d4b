using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>How samples leave: by request, by age.</summary>
internal sealed partial class ShardArchive
{
    /// <summary>Deletes matching series' samples in a range from all blocks there are; queries see it when this returns, and the next rewriting of a block carries it out.</summary>
    /// <exception cref="ObjectStore.ObjectStoreException">The store is away; nothing was deleted.</exception>
    public async Task DeleteAsync(IReadOnlyList<IReadOnlyList<Matcher>> selectors, TimeRange range, CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            // What is pending is in no manifest yet, and so could not be named there.
            await PublishAsync(cancellation);
            var deletions = selectors.Select(s => new SeriesDeletion([.. s.Select(MatcherText.Of)], range.MinMs, range.MaxMs)).ToList();
            var touched = new HashSet<Ulid>();
            using (var held = Blocks.Hold(range))
            {
                foreach (var block in held.Blocks)
                {
                    foreach (var selector in selectors)
                    {
                        using var found = block.Reader().Select(selector, range, Aggregate.Average, block.Within, cancellation);
                        if (found.Count > 0)
                        {
                            touched.Add(block.Ulid);
                        }
                    }
                }
            }

            if (touched.Count > 0)
            {
                await manifest.SwapAsync(now => now with { Blocks = [.. now.Blocks.Select(b => touched.Contains(b.Meta.Ulid) ? b with { Deletions = [.. b.Deletions, .. deletions] } : b)] }, cancellation);
                step("a deletion is in the manifest");
                Reconcile();
                Interlocked.Increment(ref pastChanges);
            }
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Rewrites the blocks of which something was deleted, without it.</summary>
    /// <exception cref="ObjectStore.ObjectStoreException">The store is away; what was rewritten by then is live.</exception>
    public async Task CleanDeletedAsync(CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            await PublishAsync(cancellation);
            foreach (var block in manifest.Current.Blocks.Where(b => b.Deletions.Count > 0 && b.ResolutionMs == 0).ToList())
            {
                await RewriteAsync([block], cancellation);
            }

            await RetireDeletedAggregatesAsync(cancellation);
            while (await CompactOnceAsync(cancellation))
            {
            }
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Drops the aggregates of deleted samples that can be made anew from raw ones; where those are gone, the deletion goes on hiding what it hides.</summary>
    private async Task RetireDeletedAggregatesAsync(CancellationToken cancellation)
    {
        var raw = manifest.Current.Blocks.Where(b => b.ResolutionMs == 0).Select(b => new PlannedBlock(b.Meta, 0)).ToList();
        var leaving = manifest.Current.Blocks.Where(b => HasDeletedAggregates(b) && raw.Exists(r => r.Overlaps(new PlannedBlock(b.Meta, 0)))).Select(b => b.Meta.Ulid).ToHashSet();
        if (leaving.Count > 0)
        {
            await manifest.SwapAsync(now => Retired(now, leaving), cancellation);
            step("aggregates of deleted samples are retired");
            Reconcile();
            Interlocked.Increment(ref pastChanges);
        }
    }

    /// <summary>Takes blocks off the live ones for good.</summary>
    private ShardManifest Retired(ShardManifest now, HashSet<Ulid> leaving) => now with
    {
        Blocks = [.. now.Blocks.Where(b => !leaving.Contains(b.Meta.Ulid))],
        Retired =
        [
            .. now.Retired,
            .. now.Blocks.Where(b => leaving.Contains(b.Meta.Ulid)).Select(b => new RetiredBlock(b.Meta.Ulid.ToString(), time.GetUtcNow(), IsShared(b) ? b.HashRange.ToString() : null)),
        ],
    };

    private async Task ApplyRetentionAsync(CancellationToken cancellation)
    {
        var leaving = options.Retention.Expired(manifest.Current.Blocks, time.GetUtcNow()).Select(b => b.Meta.Ulid).ToHashSet();
        if (leaving.Count > 0)
        {
            await manifest.SwapAsync(now => Retired(now, leaving), cancellation);
            step("retention has retired blocks");
            Reconcile();
            Interlocked.Increment(ref pastChanges);
        }
    }
}
