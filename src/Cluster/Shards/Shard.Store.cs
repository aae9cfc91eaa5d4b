namespace Metrics.Cluster;

/// <summary>How a shard's store is opened, watched, given up and closed.</summary>
internal sealed partial class Shard
{
    /// <summary>Stops for good, acknowledging, publishing and answering: whoever asks this owner would hear what may no longer be so.</summary>
    private void Fence(IShardStore lost, EpochLostException cause)
    {
        lock (writing)
        {
            if (!ReferenceEquals(store, lost) || fenced)
            {
                return;
            }

            NoteFenced(cause);
            closing = CloseFencedAsync(lost);
        }
    }

    // Not opened again: that would raise the epoch, and take the shard back from whoever has it now.
    private void NoteFenced(EpochLostException cause)
    {
        Volatile.Write(ref fenced, true);
        Volatile.Write(ref takesWrites, false);
        store = null;
        refusal = cause.Message;
        report($"shard {Id} serves no more here: {cause.Message}");
    }

    private async Task CloseFencedAsync(IShardStore lost)
    {
        await Task.Yield(); // The caller may hold what the store waits for.
        await CloseAsync(lost);
        gone.TrySetResult();
    }

    private async Task WatchAsync(IShardStore opened)
    {
        try
        {
            await opened.Failed;
        }
        catch (Exception e)
        {
            Fail(opened, e);
        }
    }

    private async Task ReopenAsync(CancellationToken cancellation)
    {
        await DropStoreAsync("its log is being replayed");
        try
        {
            var opened = await Task.Run(async () => await opener(Id, folder, Meter, cancellation), cancellation);
            lock (writing)
            {
                store = opened;
                Volatile.Write(ref takesWrites, true);
            }

            _ = WatchAsync(opened);
        }
        catch (EpochLostException e)
        {
            lock (writing)
            {
                NoteFenced(e);
            }

            gone.TrySetResult();
        }
        catch (ShardUnavailableException e) when (e.IsMoved)
        {
            NoteMoved();
            gone.TrySetResult();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            refusal = e.Message;
            reopenAt = time.GetUtcNow() + ReopenAfter;
            report($"shard {Id} can't be opened and will be tried again: {e.Message}");
        }
    }

    private async Task DropStoreAsync(string reason)
    {
        IShardStore? old;
        lock (writing)
        {
            old = store;
            refusal = reason;
            Volatile.Write(ref takesWrites, false);
            store = null;
            sealedAt = null;
        }

        if (old is not null)
        {
            await CloseAsync(old);
        }
    }

    private async Task CloseAsync(IShardStore old)
    {
        try
        {
            await old.DisposeAsync();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nothing in it that was acknowledged depends on this; what did not reach the disk was refused already.
            report($"shard {Id}: closing failed: {e.Message}");
        }
    }

    private ShardUnavailableException Fail(IShardStore failed, Exception cause)
    {
        if (cause is EpochLostException lost)
        {
            Fence(failed, lost);
            return new ShardUnavailableException(Id, cause.Message, cause);
        }

        lock (writing)
        {
            if (ReferenceEquals(store, failed) && takesWrites)
            {
                Volatile.Write(ref takesWrites, false);
                refusal = $"its log failed: {cause.Message}";
                reopenAt = time.GetUtcNow() + ReopenAfter;
                report($"shard {Id} takes no writes until it is opened again: {cause.Message}");
            }
        }

        return new ShardUnavailableException(Id, cause.Message, cause);
    }
}
