using Metrics.Cluster;
using Metrics.Model;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.Runtime.Placement;

namespace Metrics.Grains;

/// <summary>Owns a shard: opens it on its silo's node, carries calls to it, closes it. Everything else is the node's.</summary>
/// <remarks>
/// Calls run on the thread pool and overlap: a long query holds up no append. It lives as long as its shard is open: a shard that is lost to another owner takes its grain with it, and one that nobody uses, by
/// its grain or directly on its silo, is flushed and closed. Two of them for one shard, which Orleans allows for a moment, fence each other by the manifest's epoch.
/// </remarks>
[ShardPlacement]
[Reentrant]
[KeepAlive]
internal sealed partial class ShardGrain(SiloContext silo, SiloDirectory directory, SiloServiceClient silos, ShardMoves moves, TimeProvider time, ILogger<ShardGrain> logger)
    : Grain, IShardGrain, IDisposable
{
    private readonly CancellationTokenSource closed = new();
    private ShardId shard;
    private Task<IShard> opening = Task.FromException<IShard>(new InvalidOperationException("not activated"));
    private bool isClosing;

    private IShardNode Node => silo.Node ?? throw new InvalidOperationException("a silo that holds no shards was asked to open one");

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        shard = ShardKey.Parse(this.GetPrimaryKeyString());
        opening = Task.Run(OpenAsync, CancellationToken.None);
        _ = FollowAsync();
        this.RegisterGrainTimer(CloseWhenIdleAsync, new GrainTimerCreationOptions(silo.Options.IdleCheck, silo.Options.IdleCheck) { Interleave = true });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => await CloseAsync();

    /// <inheritdoc/>
    public async ValueTask<ShardReply> CallAsync(Payload call, CancellationToken cancellation)
    {
        using var span = ClusterTracing.Called(shard, RequestContext.Get(GrainShardChannel.Caller) as string);
        if (await OpenedAsync(cancellation) is { } notOpen)
        {
            return notOpen;
        }

        if (Node.Find(shard) is null)
        {
            // It was lost, or split or merged, and this activation is about to end: the next one says more.
            return new ShardReply(default, "it was closed", isPassing: true);
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, closed.Token);
        try
        {
            var answer = await Task.Run(() => Node.AnswerShardAsync(shard, call.Bytes, either.Token).AsTask(), CancellationToken.None);
            return new ShardReply(new Payload(answer), null, isPassing: false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // What was cancelled reads only: closing waits for appends.
            return new ShardReply(default, "it was handed over", isPassing: true);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ShardReply> WakeAsync() => await OpenedAsync(CancellationToken.None) ?? default(ShardReply);

    /// <inheritdoc/>
    public async ValueTask<ShardReply> MoveAsync(string node)
    {
        var to = new NodeId(node);
        if (to == Node.Id)
        {
            return default;
        }

        if (directory.Find(to) is not { } target)
        {
            return new ShardReply(default, $"there is no silo with node {node}", isPassing: false);
        }

        if (isClosing)
        {
            return new ShardReply(default, "it is being handed over already", isPassing: true);
        }

        using var moving = moves.Begin(shard, to);
        try
        {
            await silos.Of(target).CatchUpAsync(this.GetPrimaryKeyString());
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            LogNotCaughtUp(shard, node, e.Message); // It takes over all the same, and copies then.
        }

        if (directory.ReportOf(target) is { EndsSince: not null })
        {
            return new ShardReply(default, $"node {node} is leaving", isPassing: false);
        }

        LogMoving(shard, node);
        await CloseAsync();
        moves.Leave(shard, GrainContext.Deactivated);
        RequestContext.Set(IPlacementDirector.PlacementHintKey, target);
        MigrateOnIdle();
        return new ShardReply(default, $"it is on its way to node {node}", isPassing: true);
    }

    /// <inheritdoc/>
    public async ValueTask<ShardReply> SealAsync(long announced, bool mustBeNarrow, bool onlyPrepares)
    {
        if (await OpenedAsync(CancellationToken.None) is { } notOpen)
        {
            return notOpen;
        }

        LogSealing(shard, announced);
        try
        {
            await Task.Run(() => Node.SealShardAsync(shard, new SealRequest(announced, mustBeNarrow, onlyPrepares), closed.Token).AsTask(), CancellationToken.None);
            return default;
        }
        catch (ShardUnavailableException e)
        {
            return new ShardReply(default, e.Reason, isPassing: false, isMoved: e.IsMoved);
        }
        catch (OperationCanceledException)
        {
            return new ShardReply(default, "it was handed over", isPassing: true);
        }
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseAsync() => await Task.Run(() => Node.ReleaseShardAsync(shard, CancellationToken.None).AsTask(), CancellationToken.None);

    /// <inheritdoc/>
    public void Dispose() => closed.Dispose();

    /// <summary>Opens the shard, when its tenant has a map before and after: a tenant that is being deleted loses its map first, so what is opened at that moment is closed here, or with its others.</summary>
    private async Task<IShard> OpenAsync()
    {
        await CheckTenantAsync();
        var opened = await Node.OpenShardAsync(shard, closed.Token);
        try
        {
            await CheckTenantAsync();
            return opened;
        }
        catch
        {
            await Node.CloseShardAsync(shard);
            throw;
        }
    }

    private async ValueTask CheckTenantAsync()
    {
        try
        {
            if (await silo.Maps.FindAsync(shard.Tenant, closed.Token) is null)
            {
                throw new ShardUnavailableException(shard, "there is no such tenant");
            }
        }
        catch (InvalidDataException e)
        {
            throw new ShardUnavailableException(shard, e.Message, e);
        }
    }

    /// <summary>Waits until the shard is open; null then, and why it is not otherwise.</summary>
    private async ValueTask<ShardReply?> OpenedAsync(CancellationToken cancellation)
    {
        if (isClosing)
        {
            return new ShardReply(default, "it is being handed over", isPassing: true);
        }

        try
        {
            await opening.WaitAsync(silo.Options.OpenPatience, time, cancellation);
            return null;
        }
        catch (TimeoutException)
        {
            return new ShardReply(default, "it is still being opened", isPassing: false);
        }
        catch (Exception e) when (e is ShardUnavailableException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return new ShardReply(default, e.Message, isPassing: isClosing, isMoved: TenantAsking.IsMove(e));
        }
    }

    /// <summary>Waits until the shard is open and then until it is gone, and goes too.</summary>
    private async Task FollowAsync()
    {
        try
        {
            await opening;
            LogOpened(shard, Node.Id.Value);
            await Node.ClosedAsync(shard);
        }
        catch (Exception e) when (e is ShardUnavailableException or OperationCanceledException)
        {
            LogNotOpened(shard, e.Message);
        }

        if (!isClosing)
        {
            await closed.CancelAsync(); // What still reads holds up the end of this grain, and so its silo's.
            DeactivateOnIdle();
        }
    }

    private async Task CloseWhenIdleAsync(CancellationToken cancellation)
    {
        if (isClosing || !opening.IsCompletedSuccessfully || Node.IdleFor(shard) < silo.Options.IdleAfter)
        {
            return;
        }

        // Nobody looks after a closed shard's replicas, so nothing may be left that only its log holds.
        try
        {
            var open = await opening;
            await Task.Run(() => open.FlushAsync(cancellation).AsTask(), cancellation);
        }
        catch (ShardUnavailableException e)
        {
            LogNotFlushed(shard, e.Message);
            return;
        }

        if (Node.IdleFor(shard) >= silo.Options.IdleAfter)
        {
            LogIdle(shard);
            DeactivateOnIdle();
        }
    }

    /// <summary>Takes no more calls, waits for what was appended, closes the shard, and ends what still reads.</summary>
    private async Task CloseAsync()
    {
        isClosing = true;
        await Task.Run(() => Node.CloseShardAsync(shard).AsTask(), CancellationToken.None);
        await closed.CancelAsync();
    }
}
