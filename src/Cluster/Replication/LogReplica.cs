using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>One node's copy of a log. It only appends bytes: promises epochs, checks that records follow each other, and drops what was decided to be void (docs/replication.md, Replica).</summary>
/// <remarks>One request at a time, in the order of arrival. Thread-safe. The owner of a shard has one too: its own log is a member like the others.</remarks>
internal sealed class LogReplica : ILogPeer, IAsyncDisposable
{
    /// <summary>The lower bound of what is acknowledged is saved whenever so many bytes came in; what lies above it is copied once more when an owner is lost.</summary>
    private const long SaveCommittedBytes = 4 * 1024 * 1024;

    private readonly Func<ValueTask<IReplicaStore>> open;
    private readonly Mutant mutant;
    private readonly Turns turns = new();
    private IReplicaStore? store;
    private ReplicaState state = ReplicaState.New;
    private long bytesSinceSave;
    private long droppedBefore;
    private bool closed;
    private bool isUsed; // Since the last look of RestAsync.
    private volatile bool rests;

    /// <summary>Makes a replica over a store that is opened with the first request, and again after the disk has refused.</summary>
    public LogReplica(Func<ValueTask<IReplicaStore>> open, Mutant mutant = Mutant.None)
    {
        this.open = open;
        this.mutant = mutant;
    }

    /// <summary>True while its files are closed because nobody uses it.</summary>
    public bool Rests => rests;

    /// <inheritdoc/>
    public async ValueTask<ReplicaAnswer> AskAsync(ReplicaRequest request, CancellationToken cancellation)
    {
        using var turn = await turns.TakeAsync();
        cancellation.ThrowIfCancellationRequested();
        try
        {
            var to = await OpenAsync();
            if (request is not BeginRequest { Epoch: 0 })
            {
                (isUsed, rests) = (true, false); // Who only asks what there is needs no file.
            }

            return request switch
            {
                BeginRequest begin => await BeginAsync(to, begin),
                AppendRequest append => await AppendAsync(to, append),
                ReadRequest read => await ReadAsync(to, read),
                _ => throw new ArgumentException($"{request.GetType()} is no request", nameof(request)),
            };
        }
        catch (IOException)
        {
            // What was written is open: only what the next opening finds is there.
            await CloseStoreAsync();
            return new ReplicaAnswer { Status = ReplicaStatus.Failed };
        }
    }

    /// <summary>Forgets all records and begins anew at one: for a node that copies the log from others (<see cref="LogCopy"/>).</summary>
    /// <param name="first">Where to begin.</param>
    /// <param name="wholeAt">When records were lost: until it holds those before this, it is not to be believed.</param>
    /// <exception cref="IOException">The disk refused.</exception>
    public async ValueTask StartAtAsync(long first, long wholeAt)
    {
        using var turn = await turns.TakeAsync();
        var to = await OpenAsync();
        (isUsed, rests) = (true, false);
        await to.BeginAtAsync(first, keepBehind: false);
        await SaveAsync(state with { History = EpochHistory.Empty, BehindHistory = EpochHistory.Empty, WholeAt = wholeAt });
    }

    /// <summary>Lets the store close its files when nobody has written or read here since this was last called; the next who does opens them again. What the replica has promised and holds it goes on knowing.</summary>
    public async ValueTask RestAsync()
    {
        using var turn = await turns.TakeAsync();
        if (closed || rests || store is null)
        {
            return;
        }

        if (isUsed)
        {
            isUsed = false;
            return;
        }

        try
        {
            await store.RestAsync();
            rests = true;
        }
        catch (IOException)
        {
            await CloseStoreAsync(); // As after a request that the disk refused.
        }
    }

    /// <summary>Closes for good and removes what there is, unless an epoch, or a higher one, was promised; false then.</summary>
    public async ValueTask<bool> RetireAsync(long epoch, Func<ValueTask> remove)
    {
        using var turn = await turns.TakeAsync();
        await OpenAsync();
        if (state.Promised >= epoch)
        {
            return false;
        }

        closed = true;
        await CloseStoreAsync();
        await remove();
        return true;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var turn = await turns.TakeAsync();
        closed = true;
        await CloseStoreAsync();
    }

    private async ValueTask<IReplicaStore> OpenAsync()
    {
        ObjectDisposedException.ThrowIf(closed, this);
        if (store is not null)
        {
            return store;
        }

        var opened = await open();
        store = opened;
        state = opened.State with { History = opened.State.History.Before(opened.Next), BehindHistory = opened.State.BehindHistory.Before(opened.BehindNext) };
        if (mutant == Mutant.ForgetsPromise)
        {
            state = state with { Promised = 0 };
        }

        if (opened.OpenedDamaged && !state.IsDamaged && mutant != Mutant.HidesDamage)
        {
            await SaveAsync(state with { WholeAt = ReplicaState.Damaged });
        }

        return opened;
    }

    private async ValueTask CloseStoreAsync()
    {
        var old = store;
        store = null;
        if (old is not null)
        {
            try
            {
                await old.DisposeAsync();
            }
            catch (IOException)
            {
                return; // It was given up for this already; the next opening judges.
            }
        }
    }

    private async ValueTask<ReplicaAnswer> BeginAsync(IReplicaStore to, BeginRequest request)
    {
        if (request.Epoch == 0)
        {
            return Answer(to, ReplicaStatus.Done, history: true);
        }

        if (request.Epoch < state.Promised && mutant != Mutant.ObeysOldEpochs)
        {
            return Answer(to, ReplicaStatus.Fenced);
        }

        if (request.Epoch > state.Promised)
        {
            await SaveAsync(state with { Promised = request.Epoch });
        }

        await DropVoidAsync(to, request.History);
        if (request.Join > 0 && (request.Epoch, request.Join).CompareTo((state.JoinedEpoch, state.Joined)) > 0)
        {
            await JoinAsync(to, request);
        }

        await to.DropBeforeAsync(request.Start);
        return Answer(to, ReplicaStatus.Done, history: true);
    }

    /// <summary>Cuts the log where a later epoch was decided to have written other records.</summary>
    private async ValueTask DropVoidAsync(IReplicaStore to, EpochHistory decided)
    {
        var from = Math.Max(state.History.FirstVoid(decided), to.First);
        if (from < to.Next && mutant is not (Mutant.KeepsVoidTail or Mutant.ComparesNothing))
        {
            await CutAsync(to, from);
        }
    }

    private async ValueTask CutAsync(IReplicaStore to, long from)
    {
        if (from < state.Committed)
        {
            throw new ReplicationInvariantException($"records from {from} on were to be dropped, but those before {state.Committed} are acknowledged");
        }

        await to.TruncateFromAsync(from);
        await SaveAsync(state with { History = state.History.Before(from) });
    }

    private async ValueTask JoinAsync(IReplicaStore to, BeginRequest request)
    {
        var at = request.JoinAt;
        var joined = state with { JoinedEpoch = request.Epoch, Joined = request.Join, WholeAt = state.IsDamaged ? request.WholeAt : state.WholeAt };
        var covers = to.First <= at && at <= to.Next && to.First < to.Next;
        if (state.IsDamaged || !covers)
        {
            // What the log holds stays for later, if it is the beginning of what is needed.
            var keep = !state.IsDamaged && to.First <= request.Start && to.Next > request.Start && to.Next < at;
            await SaveAsync(state with { BehindHistory = keep ? state.History : EpochHistory.Empty });
            await to.BeginAtAsync(at, keep);
            joined = joined with { History = EpochHistory.Empty, BehindHistory = state.BehindHistory };
        }

        await SaveAsync(joined);
    }

    private async ValueTask<ReplicaAnswer> AppendAsync(IReplicaStore to, AppendRequest request)
    {
        if (request.Epoch < state.Promised && mutant != Mutant.ObeysOldEpochs)
        {
            return Answer(to, ReplicaStatus.Fenced);
        }

        if (state.IsDamaged)
        {
            return Answer(to, ReplicaStatus.Damaged);
        }

        if (request.Epoch > state.Promised)
        {
            return Answer(to, ReplicaStatus.Gap);
        }

        var status = request.IsBehind ? await AppendBehindAsync(to, request) : await AppendLogAsync(to, request);
        if (status == ReplicaStatus.Done)
        {
            await NoteAsync(to, request);
        }

        return Answer(to, status);
    }

    private async ValueTask<ReplicaStatus> AppendLogAsync(IReplicaStore to, AppendRequest request)
    {
        if (request.First < to.First || request.First > to.Next || !FollowsMatching(to, request))
        {
            return ReplicaStatus.Gap;
        }

        // Records held already, of the same epoch, are the same records.
        var held = request.First;
        while (held < Math.Min(request.End, to.Next) && state.History.EpochAt(held) == request.RecordEpoch)
        {
            held = Math.Min(Math.Min(request.End, to.Next), state.History.NextStart(held));
        }

        if (held == request.End)
        {
            return ReplicaStatus.Done;
        }

        if (held < to.Next)
        {
            if (state.History.EpochAt(held) > request.RecordEpoch)
            {
                return ReplicaStatus.Gap;
            }

            await CutAsync(to, held);
        }

        if (state.History.LastEpoch != request.RecordEpoch)
        {
            await SaveAsync(state with { History = state.History.With(request.RecordEpoch, held) });
        }

        var skipped = (int)(held - request.First);
        await to.AppendAsync(held, request.Count - skipped, request.Frames[LogFrames.OffsetOf(request.Frames.Span, skipped)..], behind: false);
        return ReplicaStatus.Done;
    }

    /// <summary>If two logs hold the same record, by number and epoch, they hold the same records before it (Raft's log matching).</summary>
    private bool FollowsMatching(IReplicaStore to, AppendRequest request) =>
        request.First == to.First || state.History.EpochAt(request.First - 1) == request.PreviousEpoch || mutant == Mutant.ComparesNothing;

    private async ValueTask<ReplicaStatus> AppendBehindAsync(IReplicaStore to, AppendRequest request)
    {
        if (request.First >= to.First)
        {
            return ReplicaStatus.Done; // It is one with the log since.
        }

        var isEmpty = to.BehindFirst == to.BehindNext;
        if (!isEmpty && request.First < to.BehindNext && request.End <= to.BehindNext)
        {
            return ReplicaStatus.Done;
        }

        if (request.End > to.First || (!isEmpty && (request.First != to.BehindNext || state.BehindHistory.EpochAt(request.First - 1) != request.PreviousEpoch)))
        {
            return ReplicaStatus.Gap;
        }

        var behind = isEmpty ? EpochHistory.Empty.With(request.RecordEpoch, request.First) : state.BehindHistory.With(request.RecordEpoch, request.First);
        var whole = request.End == to.First;
        if (whole || behind != state.BehindHistory)
        {
            await SaveAsync(state with { BehindHistory = behind, History = whole ? Joined(behind, state.History) : state.History });
        }

        await to.AppendAsync(request.First, request.Count, request.Frames, behind: true);
        return ReplicaStatus.Done;
    }

    private static EpochHistory Joined(EpochHistory behind, EpochHistory log)
    {
        var joined = behind;
        foreach (var start in log.Starts)
        {
            joined = joined.With(start.Epoch, start.First);
        }

        return joined;
    }

    private async ValueTask NoteAsync(IReplicaStore to, AppendRequest request)
    {
        var committed = Math.Max(state.Committed, Math.Min(request.Committed, to.Next));
        state = state with { Committed = committed };
        bytesSinceSave += request.Frames.Length;
        if (bytesSinceSave >= SaveCommittedBytes)
        {
            await SaveAsync(state);
        }

        if (request.Start > droppedBefore)
        {
            droppedBefore = request.Start;
            await to.DropBeforeAsync(request.Start);
        }
    }

    private async ValueTask<ReplicaAnswer> ReadAsync(IReplicaStore to, ReadRequest request)
    {
        var isBehind = request.From >= to.BehindFirst && request.From < to.BehindNext;
        if (!isBehind && (request.From < to.First || request.From >= to.Next))
        {
            return Answer(to, ReplicaStatus.Absent);
        }

        var history = isBehind ? state.BehindHistory : state.History;
        try
        {
            var (frames, count) = await to.ReadAsync(request.From, request.MaxBytes);
            var same = (int)Math.Min(count, history.NextStart(request.From) - request.From);
            return Answer(to, ReplicaStatus.Done) with
            {
                Frames = frames[..LogFrames.OffsetOf(frames.Span, same)],
                FramesCount = same,
                FramesEpoch = history.EpochAt(request.From),
            };
        }
        catch (InvalidDataException)
        {
            if (mutant != Mutant.HidesDamage)
            {
                await SaveAsync(state with { WholeAt = ReplicaState.Damaged });
            }

            return Answer(to, ReplicaStatus.Damaged);
        }
    }

    private async ValueTask SaveAsync(ReplicaState next)
    {
        state = next;
        bytesSinceSave = 0;
        await store!.SaveAsync(next);
    }

    private ReplicaAnswer Answer(IReplicaStore to, ReplicaStatus status, bool history = false) => new()
    {
        Status = status,
        Promised = state.Promised,
        First = to.First,
        Next = to.Next,
        BehindFirst = to.BehindFirst,
        BehindNext = to.BehindNext,
        Committed = state.Committed,
        WholeAt = state.WholeAt,
        History = history ? state.History : EpochHistory.Empty,
    };
}

/// <summary>Something happened that the protocol rules out: a bug, or a disk that forgot. Nothing was changed.</summary>
public sealed class ReplicationInvariantException(string message) : InvalidOperationException(message);
