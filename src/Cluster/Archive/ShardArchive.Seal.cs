using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>How a shard's archive comes to rest before the shard is split or merged.</summary>
internal sealed partial class ShardArchive
{
    /// <summary>Publishes what is pending.</summary>
    /// <exception cref="IOException">The store failed.</exception>
    public async Task PublishPendingAsync(CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            await PublishAsync(cancellation);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Rewrites all blocks that are shared with other shards.</summary>
    /// <exception cref="IOException">The store failed, or a block can't be read and so stays shared.</exception>
    public async Task NarrowAsync(CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            await PublishAsync(cancellation);
            while (await NarrowOnceAsync(cancellation))
            {
            }

            CheckNarrow();
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Publishes what is pending and seals the manifest, in turn with all else that changes it; from then on nothing here does.</summary>
    /// <exception cref="IOException">The store failed, and the manifest may be sealed or not; or something is left that children would not have.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    public async Task SealAsync(SealRequest request, CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            await PublishAsync(cancellation);
            if (manifest.Current.LostLogs.Count > 0)
            {
                throw new IOException("a log that was given up as lost may still be found, and would be nobody's then");
            }

            if (request.MustBeNarrow)
            {
                CheckNarrow();
            }

            // Before the swap: if its answer is lost, nothing may change any more either.
            isSealed = true;
            await manifest.SwapAsync(now => now with { SealedFor = request.Announced }, cancellation);
            step("the manifest is sealed");
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Leaves the shard's exemplars for its children.</summary>
    public async Task LeaveExemplarsAsync(SealRequest request, IReadOnlyList<HandedExemplar> exemplars, CancellationToken cancellation)
    {
        try
        {
            await HandedExemplars.LeaveAsync(store, shard, request, exemplars, cancellation);
        }
        catch (IOException e)
        {
            report($"the exemplars are lost with the split or merge: {e.Message}");
        }
    }

    /// <summary>Takes the exemplars that the shard's parents left for it, if it has parents.</summary>
    public async Task TakeExemplarsAsync(Func<IReadOnlyList<HandedExemplar>, ValueTask> keep, CancellationToken cancellation)
    {
        if (manifest.Current.MadeBy is not { } madeBy)
        {
            return;
        }

        try
        {
            await HandedExemplars.TakeAsync(store, shard, madeBy, keep, cancellation);
        }
        catch (Exception e) when (e is ObjectStoreException or InvalidDataException)
        {
            report($"exemplars from before the split or merge can't be read: {e.Message}");
        }
    }

    private void CheckNarrow()
    {
        if (manifest.Current.Blocks.FirstOrDefault(IsShared) is { } wide)
        {
            throw new IOException($"block {wide.Meta.Ulid} is shared with other shards and can't be rewritten");
        }
    }

    private void CheckNotSealed()
    {
        if (isSealed)
        {
            throw ShardUnavailableException.Moved(shard);
        }
    }
}
