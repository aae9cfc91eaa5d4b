using Metrics.Model;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>One tenant's series in one hash range, owned by this process: opens its store, lets one writer in at a time, and keeps the store's promise honest.</summary>
/// <remarks>
/// <code>
///   Replaying ──► Ready ──► Closed
///       ▲  │        │ │ └──► Sealed ──► Moved, closed: the shard was split or merged; or, when that was given up, Replaying
///       │  └──►  Failed └──► Fenced, closed: another owner has the shard; not opened again, which would take it back
///       └─────────┘       the log refused, or the folder can't be opened; after <see cref="ReopenAfter"/>
/// </code>
/// Sealed, it answers and takes no writes (<c>Shard.Seal.cs</c>).
/// A batch is resolved, judged, logged and applied in one synchronous stretch under the writer lock; only then is the group commit awaited, and only then
/// is the sender told. A reader may see a sample before it is durable. When the log fails after that, memory holds what disk may not: nothing is
/// acknowledged, the store takes no further write (a retry would find its samples "already there" and be acknowledged wrongly), and it is opened
/// again from disk, so what readers saw ahead of its durability may be gone then. Queries go on against the old store until the new one opens.
/// Thread-safe.
/// </remarks>
internal sealed partial class Shard : IShard, IAsyncDisposable
{
    /// <summary>How long a failed shard waits before it is opened again: a full disk seldom empties faster, and senders back off to 5 s.</summary>
    public static readonly TimeSpan ReopenAfter = TimeSpan.FromSeconds(5);

    private readonly string folder;
    private readonly long maxFutureMs;
    private readonly TimeProvider time;
    private readonly ShardStoreOpener opener;
    private readonly Action<string> report;
    private readonly ShardSource source;
    private readonly LocalLeaf leaf;
    private readonly QueryMemory memory;
    private readonly Lock writing = new();
    private readonly SemaphoreSlim lifecycle = new(1, 1);
    private readonly TaskCompletionSource gone = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guarded by writing; read without it by queries.
    private volatile IShardStore? store;
    private volatile string refusal = "its log is being replayed";
    private bool takesWrites;
    private bool closed;
    private bool fenced;
    private DateTimeOffset reopenAt;
    private long lastUsed;
    private Task closing = Task.CompletedTask;

    /// <summary>Makes a shard that is not yet open; <paramref name="maxFuture"/> zero lets samples be of any time.</summary>
    public Shard(ShardId id, string folder, TimeSpan maxFuture, EngineOptions engine, TimeProvider time, ShardStoreOpener opener, Action<string> report)
    {
        Id = id;
        this.folder = folder;
        maxFutureMs = (long)maxFuture.TotalMilliseconds;
        this.time = time;
        this.opener = opener;
        this.report = report;
        lastUsed = time.GetTimestamp();
        source = new ShardSource(Store);
        leaf = new LocalLeaf(source, engine, id.Tenant);
        memory = engine.Memory;
    }

    /// <inheritdoc/>
    public ShardId Id { get; }

    /// <summary>How far the replay is.</summary>
    public ReplayMeter Meter { get; } = new();

    /// <summary>True when writes are taken.</summary>
    public bool IsReady => store is not null && Volatile.Read(ref takesWrites);

    /// <summary>True when another owner has the shard.</summary>
    public bool IsFenced => Volatile.Read(ref fenced);

    /// <summary>Why the shard does not serve; the last reason when it does.</summary>
    public string Refusal => refusal;

    /// <summary>For how long nobody has written to it or asked it for data, since it was made at most.</summary>
    public TimeSpan IdleFor => time.GetElapsedTime(Volatile.Read(ref lastUsed));

    /// <summary>Completes when the shard is closed for good: disposed, or lost to another owner, and its files let go.</summary>
    public Task Gone => gone.Task;

    /// <inheritdoc/>
    public ShardStatistics Statistics => store?.Statistics ?? default;

    /// <inheritdoc/>
    public ValueTask<ShardHistory> HistoryAsync(CancellationToken cancellation) => ValueTask.FromResult(Store().History);

    /// <summary>Opens the store; when that fails the shard is failed, and <see cref="MaintainAsync"/> tries again. Blocks while the log is replayed.</summary>
    public async Task OpenAsync(CancellationToken cancellation)
    {
        await lifecycle.WaitAsync(cancellation);
        try
        {
            if (!closed && !fenced && !IsReady && !IsMoved)
            {
                await ReopenAsync(cancellation);
            }
        }
        finally
        {
            lifecycle.Release();
        }
    }

    private async ValueTask<AppendResult> AppendBatchAsync(SampleBatch batch, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        NoteUse();
        using var span = ClusterTracing.Shard("shard.append", Id);
        AppendResult result;
        IShardStore to;
        long position;
        lock (writing)
        {
            if (IsSealed)
            {
                return new AppendResult { Status = AppendStatus.NotOwner };
            }

            to = takesWrites && store is { } open ? open : throw Unavailable();
            if (!to.HasRoom)
            {
                throw new ShardUnavailableException(Id, "too much waits to be acknowledged by the replicas of its log");
            }

            if (batch.Incarnation != 0 && batch.Incarnation != to.Incarnation)
            {
                return new AppendResult { Status = AppendStatus.StaleReferences, Incarnation = to.Incarnation };
            }

            if (!OwnsAll(batch))
            {
                return new AppendResult { Status = AppendStatus.NotOwner, Incarnation = to.Incarnation };
            }

            try
            {
                result = to.Append(batch, LatestTimeMs(), out position);
            }
            catch (Exception e)
            {
                // Whatever it was, the batch may be half applied.
                throw Fail(to, e);
            }
        }

        if (result.Status != AppendStatus.Done)
        {
            return result;
        }

        try
        {
            // Not cancellable: the samples are in the log's queue, and the batch's fate is to be known before anyone is answered.
            await to.CommitAsync(position);
        }
        catch (TimeoutException e)
        {
            // The store goes on: what it has taken is durable as soon as the replicas are back.
            throw new ShardUnavailableException(Id, e.Message, e);
        }
        catch (Exception e)
        {
            throw Fail(to, e);
        }

        return result;
    }

    private void NoteUse() => Volatile.Write(ref lastUsed, time.GetTimestamp());

    /// <summary>Cuts blocks and truncates the log as far as due; opens a failed shard again. Called at intervals.</summary>
    public async Task MaintainAsync(CancellationToken cancellation)
    {
        await lifecycle.WaitAsync(cancellation);
        try
        {
            if (closed)
            {
                return;
            }

            if (IsReady)
            {
                store!.Maintain(cancellation);
            }
            else if (IsSealed)
            {
                await ReopenWhenForgottenAsync(cancellation);
            }
            else if (!fenced && !IsMoved && time.GetUtcNow() >= reopenAt)
            {
                await ReopenAsync(cancellation);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            report($"shard {Id}: upkeep failed and will be tried again: {e.Message}");
        }
        finally
        {
            lifecycle.Release();
        }
    }

    /// <summary>Publishes, compacts and retires blocks as far as due. Called at intervals; may take long, and does not hold up anything else.</summary>
    public async Task ArchiveAsync(CancellationToken cancellation)
    {
        if (store is not { } open || !IsReady)
        {
            return;
        }

        try
        {
            await open.ArchiveAsync(cancellation);
        }
        catch (EpochLostException e)
        {
            Fence(open, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or ObjectDisposedException)
        {
            report($"shard {Id}: work on its blocks failed and will be tried again: {e.Message}");
        }
    }

    /// <inheritdoc/>
    public async ValueTask FlushAsync(CancellationToken cancellation)
    {
        var open = Store();
        await Task.Run(() => open.CutAll(cancellation), cancellation);
        await ArchivedAsync(open, () => open.ArchiveAsync(cancellation));
    }

    /// <summary>Publishes the blocks that were cut; completes when that is done.</summary>
    /// <exception cref="ShardUnavailableException">Object storage or the disk failed; it goes on in the background.</exception>
    public async ValueTask PublishAsync(CancellationToken cancellation)
    {
        var open = Store();
        await ArchivedAsync(open, () => open.ArchiveAsync(cancellation));
    }

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(LabelQuery query, CancellationToken cancellation)
    {
        var open = Store();
        await ArchivedAsync(open, () => Task.Run(() => open.DeleteAsync(query.Selectors, query.Range, cancellation), cancellation));
    }

    /// <inheritdoc/>
    public async ValueTask AdoptAsync(Ulid block, CancellationToken cancellation)
    {
        var open = Store();
        await ArchivedAsync(open, () => open.AdoptAsync(block, cancellation));
    }

    /// <inheritdoc/>
    public async ValueTask CleanDeletedAsync(CancellationToken cancellation)
    {
        var open = Store();
        await ArchivedAsync(open, () => open.CleanDeletedAsync(cancellation));
    }

    /// <inheritdoc/>
    public async ValueTask SnapshotAsync(string folder, bool skipHead, CancellationToken cancellation)
    {
        var open = Store();
        await ArchivedAsync(open, async () =>
        {
            if (!skipHead)
            {
                await Task.Run(() => open.CutAll(cancellation), cancellation);
            }

            await open.SnapshotAsync(folder, cancellation);
        });
    }

    /// <summary>Takes no more writes, flushes the log and lets go of the files.</summary>
    public async ValueTask DisposeAsync()
    {
        await lifecycle.WaitAsync();
        try
        {
            closed = true;
            await DropStoreAsync(IsFenced ? refusal : "it is closed here");
            await closing;
        }
        finally
        {
            lifecycle.Release();
            gone.TrySetResult();
        }
    }

    private IShardStore Store() => store ?? throw Unavailable();

    private async Task ArchivedAsync(IShardStore open, Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (EpochLostException e)
        {
            Fence(open, e);
            throw Unavailable();
        }
        catch (IOException e)
        {
            throw new ShardUnavailableException(Id, e.Message, e);
        }
    }

    private ShardUnavailableException Unavailable() => IsMoved || isSettling ? ShardUnavailableException.Moved(Id) : new(Id, refusal);

    private bool OwnsAll(SampleBatch batch)
    {
        for (var i = 0; i < batch.NewSeriesCount; i++)
        {
            if (!Id.Range.Contains(batch.HashOf(i)))
            {
                return false;
            }
        }

        return true;
    }

    private long LatestTimeMs() => maxFutureMs == 0 ? long.MaxValue : time.GetUtcNow().ToUnixTimeMilliseconds() + maxFutureMs;
}
