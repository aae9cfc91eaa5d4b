using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>How blocks get into object storage, and out of it again.</summary>
internal sealed partial class ShardArchive
{
    /// <summary>A bound, so that a log without a quorum does not hold up the work on other shards.</summary>
    private static readonly TimeSpan AcknowledgedWithin = TimeSpan.FromSeconds(10);

    /// <summary>Uploads what is pending, oldest first, and makes it live in the manifest, one block a swap.</summary>
    private async Task PublishAsync(CancellationToken cancellation)
    {
        CheckNotSealed();
        await manifest.SyncAsync(cancellation);
        if (manifest.Current.SealedFor is not null)
        {
            // Left by a change that was given up before this shard was opened.
            await manifest.SwapAsync(now => now with { SealedFor = null }, cancellation);
        }

        Reconcile();
        while (NextPending() is { } block)
        {
            var folder = Path.Combine(pendingFolder, block.Meta.Ulid.ToString());
            await UploadAsync(block, folder, cancellation);
            if (log is not null)
            {
                await AcknowledgedAsync(log, cancellation);
            }

            await manifest.SwapAsync(now => now with { Blocks = Ordered(now.Blocks.Append(block)), Cuts = WithCut(now.Cuts, block.Meta.Metrics?.Cut) }, cancellation);
            step("a block is published");
            Reconcile();
            await ForgetUploadAsync(block.Meta.Ulid, cancellation);
        }
    }

    /// <summary>Uploads finished blocks that the caller makes live, by the change that this gives; here they go live with the next work.</summary>
    /// <exception cref="ObjectStoreException">The store failed; what is up is found again by its note.</exception>
    public async Task<Func<ShardManifest, ShardManifest>> UploadAsideAsync(IReadOnlyList<BlockMeta> metas, CancellationToken cancellation)
    {
        var blocks = metas.Select(m => ManifestBlock.Of(Path.Combine(compactingFolder, m.Ulid.ToString()), m)).ToList();
        foreach (var block in blocks)
        {
            var folder = Path.Combine(compactingFolder, block.Meta.Ulid.ToString());
            await UploadAsync(block, folder, cancellation);
            RemoveLocal(folder);
        }

        return now => now with { Blocks = Ordered(now.Blocks.Concat(blocks)) };
    }

    /// <summary>Waits until the log has acknowledged all that blocks hold: the numbers of records that it may lose are given to others, which a block that covers them would hide.</summary>
    private async Task AcknowledgedAsync(IShardLog by, CancellationToken cancellation)
    {
        try
        {
            await by.WaitDurableAsync(Volatile.Read(ref recordsHeld) - 1).AsTask().WaitAsync(AcknowledgedWithin, time, cancellation);
        }
        catch (TimeoutException e)
        {
            throw new IOException("a block waits for the replicas of the log to acknowledge what it holds", e);
        }
    }

    private Task UploadAsync(ManifestBlock block, string folder, CancellationToken cancellation) => BlockPut.RunAsync(store, shard, block, folder, step, cancellation);

    private async Task ForgetUploadAsync(Ulid ulid, CancellationToken cancellation)
    {
        await store.DeleteAsync(BucketKeys.Upload(shard, ulid.ToString()), cancellation);
        step("the note of an upload is gone");
    }

    /// <summary>Removes the objects of blocks that were retired long enough ago, then their names from the manifest.</summary>
    private async Task RemoveRetiredAsync(CancellationToken cancellation)
    {
        var due = manifest.Current.Retired.Where(r => time.GetUtcNow() - r.At >= options.DeleteDelay).ToList();
        if (due.Exists(r => r.HashRange is not null))
        {
            var held = await shared.HeldElsewhereAsync([.. due.Where(r => r.HashRange is not null).Select(r => (r.Ulid, HashRange.Parse(r.HashRange!)))], cancellation);
            due.RemoveAll(r => r.HashRange is not null && held?.Contains(r.Ulid) != false);
        }

        if (due.Count == 0)
        {
            return;
        }

        foreach (var block in due)
        {
            await RemoveObjectsAsync(block.Ulid, cancellation);
        }

        var gone = due.Select(d => d.Ulid).ToHashSet(StringComparer.Ordinal);
        await manifest.SwapAsync(now => now with { Retired = [.. now.Retired.Where(r => !gone.Contains(r.Ulid))] }, cancellation);
        step("retired blocks are forgotten");
    }

    /// <summary>Looks through the notes of uploads: those of live blocks are done with; those of blocks that never became live, after a grace time, take their objects with them.</summary>
    private async Task SweepUploadsAsync(CancellationToken cancellation)
    {
        if (time.GetUtcNow() - sweptAt < options.SweepEvery)
        {
            return;
        }

        var notes = new List<ObjectInfo>();
        foreach (var folder in await shared.UploadFoldersAsync(cancellation))
        {
            await foreach (var note in store.ListAsync(folder, cancellation))
            {
                notes.Add(note);
            }
        }

        var live = manifest.Current.Blocks.Select(b => b.Meta.Ulid.ToString()).Concat(manifest.Current.Retired.Select(r => r.Ulid)).ToHashSet(StringComparer.Ordinal);
        foreach (var note in notes)
        {
            var ulid = note.Key[(note.Key.LastIndexOf('/') + 1)..];
            if (live.Contains(ulid))
            {
                await store.DeleteAsync(note.Key, cancellation);
            }
            else if (!IsPending(ulid) && time.GetUtcNow() - note.ModifiedAt >= options.OrphanGrace)
            {
                // A note that was left when its block had become live may be of one that this shard has replaced since, and others have.
                if (await shared.HeldElsewhereAsync([(ulid, HashRange.Everything)], cancellation) is not { } held)
                {
                    continue; // The note is all that leads to the objects: it stays until somebody can say.
                }

                if (held.Count == 0)
                {
                    report($"removing block {ulid}, whose upload was never finished");
                    await RemoveObjectsAsync(ulid, cancellation);
                }

                await store.DeleteAsync(note.Key, cancellation);
            }

            step("the note of an upload was looked at");
        }

        sweptAt = time.GetUtcNow();
    }

    // meta.json first: a block without it is none to any program.
    private async Task RemoveObjectsAsync(string ulid, CancellationToken cancellation)
    {
        var prefix = BucketKeys.Block(shard.Tenant, ulid);
        await store.DeleteAsync(prefix + BlockMeta.FileName, cancellation);
        step("an object is removed");
        var keys = new List<string>();
        await foreach (var file in store.ListAsync(prefix, cancellation))
        {
            keys.Add(file.Key);
        }

        foreach (var key in keys)
        {
            await store.DeleteAsync(key, cancellation);
            step("an object is removed");
        }
    }

    private ManifestBlock? NextPending()
    {
        lock (reconciling)
        {
            return pending.Values.MinBy(b => b.Meta.Ulid);
        }
    }

    private bool IsPending(string ulid)
    {
        lock (reconciling)
        {
            return pending.Keys.Any(k => k.ToString() == ulid);
        }
    }

    private static IReadOnlyList<ManifestBlock> Ordered(IEnumerable<ManifestBlock> blocks) => [.. blocks.OrderBy(b => b.Meta.MinTime).ThenBy(b => b.Meta.Ulid)];

    /// <summary>A cut makes the earlier ones of its log needless when it reaches as far in both time and records; of other logs only the furthest time matters.</summary>
    private static IReadOnlyList<LogCut> WithCut(IReadOnlyList<LogCut> cuts, LogCut? added) =>
        added is { } cut ? [cut, .. cuts.Where(c => c.EndMs > cut.EndMs || (c.Log == cut.Log && c.FirstRecord > cut.FirstRecord))] : cuts;
}
