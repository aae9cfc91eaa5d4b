namespace Metrics.Cluster;

/// <summary>How a shard comes to rest before it is split or merged, and what becomes of it then.</summary>
internal sealed partial class Shard
{
    /// <summary>A sealed shard that hears nothing for so long looks itself what was decided, and gives the change up if nothing was.</summary>
    public static readonly TimeSpan SealPatience = TimeSpan.FromSeconds(30);

    /// <summary>Rounds of putting what came meanwhile into blocks; each makes a block.</summary>
    private const int RoundsMax = 4;

    /// <summary>Each round is shorter than the one before, for it has only what was written meanwhile; after one that was as short as this, writes are stopped.</summary>
    private static readonly TimeSpan shortRound = TimeSpan.FromMilliseconds(500);

    private long? sealedAt; // Guarded by writing.
    private SealRequest sealedFor;
    private bool moved;
    private volatile bool isSettling; // While a sealed shard finds out what was decided: who asks then is to ask again in a moment.

    /// <summary>True while writes are refused because the shard is about to be split or merged.</summary>
    public bool IsSealed
    {
        get
        {
            lock (writing)
            {
                return sealedAt is not null;
            }
        }
    }

    /// <summary>True when the shard was split or merged: others own its range.</summary>
    public bool IsMoved => Volatile.Read(ref moved);

    /// <summary>Puts all of the shard into blocks, most of it while it takes writes, and stops it then; see <see cref="IShardNode.SealShardAsync"/>.</summary>
    /// <exception cref="ShardUnavailableException">It could not; the shard takes writes, or will when it is opened again.</exception>
    public async Task SealAsync(SealRequest request, CancellationToken cancellation)
    {
        lock (writing)
        {
            if (sealedAt is not null && sealedFor == request)
            {
                return;
            }
        }

        var open = Store();
        await PublishAsync(open, cancellation);
        if (request.MustBeNarrow)
        {
            await ArchivedAsync(open, () => open.NarrowAsync(cancellation));
        }

        if (request.OnlyPrepares)
        {
            return;
        }

        // Again, for what came meanwhile, until that is little: what is left for the time without writes is then little too.
        for (var round = 0; round < RoundsMax; round++)
        {
            var began = time.GetTimestamp();
            await PublishAsync(open, cancellation);
            if (time.GetElapsedTime(began) < shortRound)
            {
                break;
            }
        }

        lock (writing)
        {
            if (!ReferenceEquals(store, open) || !takesWrites)
            {
                throw Unavailable();
            }

            (sealedAt, sealedFor) = (time.GetTimestamp(), request);
            Volatile.Write(ref takesWrites, false);
            refusal = "it is about to be split or merged";
        }

        try
        {
            await Task.Run(() => open.SealAsync(request, cancellation), cancellation);
            lock (writing)
            {
                sealedAt = sealedAt is null ? null : time.GetTimestamp();
            }
        }
        catch (EpochLostException e)
        {
            Fence(open, e);
            throw Unavailable();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or ShardUnavailableException)
        {
            // Whether the manifest is sealed may be open; the opening finds out.
            report($"shard {Id} could not be sealed and is opened again: {e.Message}");
            await ReleaseAsync(CancellationToken.None);
            throw new ShardUnavailableException(Id, $"it could not be sealed: {e.Message}", e);
        }
    }

    /// <summary>Looks what became of the change that the shard is sealed for: it takes writes again, or is gone. Nothing for a shard that is not sealed.</summary>
    public async Task ReleaseAsync(CancellationToken cancellation)
    {
        await lifecycle.WaitAsync(cancellation);
        try
        {
            if (!closed && IsSealed)
            {
                await SettleAsync(cancellation);
            }
        }
        finally
        {
            lifecycle.Release();
        }
    }

    private async Task PublishAsync(IShardStore open, CancellationToken cancellation)
    {
        await Task.Run(() => open.CutBeforeSeal(cancellation), cancellation);
        await ArchivedAsync(open, () => open.PublishAsync(cancellation));
    }

    private async Task SettleAsync(CancellationToken cancellation)
    {
        isSettling = true;
        try
        {
            await ReopenAsync(cancellation);
        }
        finally
        {
            isSettling = false;
        }
    }

    /// <summary>The shard was split or merged: closes it for good. Whoever still asks is told who to ask.</summary>
    public async Task RetireAsync()
    {
        NoteMoved();
        await DisposeAsync();
    }

    private void NoteMoved()
    {
        lock (writing)
        {
            Volatile.Write(ref moved, true);
            Volatile.Write(ref takesWrites, false);
            refusal = "it was split or merged, and others own its range";
        }
    }

    private async Task ReopenWhenForgottenAsync(CancellationToken cancellation)
    {
        long? since;
        lock (writing)
        {
            since = sealedAt;
        }

        if (since is { } at && time.GetElapsedTime(at) >= SealPatience)
        {
            await SettleAsync(cancellation);
        }
    }
}
