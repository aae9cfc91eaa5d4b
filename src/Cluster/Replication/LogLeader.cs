namespace Metrics.Cluster;

/// <summary>The owner's side of a replicated log: numbers records, sends them to the members of the ensemble and counts who holds them (docs/replication.md, Leader).</summary>
/// <remarks>
/// A record is acknowledged once the quorum of the ensemble holds it; while the ensemble changes, the quorum of both the old and the new one. Append is for one thread at a time, the rest for
/// any. The leader fails once and for all when its epoch is lost or its own replica refuses; its shard is then opened anew.
/// </remarks>
internal sealed class LogLeader : IAsyncDisposable
{
    private readonly LogTerm term;
    private readonly Lock gate = new();
    private readonly PriorityQueue<TaskCompletionSource, long> waiters = new();
    private volatile FollowerLink[] links = []; // Replaced whole, under the gate, so that each commit can go through it without.
    private readonly List<Task> work = [];
    private readonly AppendWindow window;
    private readonly ILogPeer local;
    private EpochHistory history;
    private EnsembleRange current;
    private EnsembleRange? proposed;
    private long start;
    private long committed;
    private Exception? failure;

    /// <summary>Makes the leader of a term; nothing is sent before <see cref="Connect"/>.</summary>
    /// <param name="term">Which log, which epoch, by which means.</param>
    /// <param name="local">The owner's own replica; it holds all records from <paramref name="start"/> until before <paramref name="next"/>.</param>
    /// <param name="history">The decided history.</param>
    /// <param name="start">The first record needed.</param>
    /// <param name="next">The number of the first record to be appended.</param>
    /// <param name="range">The ensemble; records before its first are acknowledged.</param>
    public LogLeader(LogTerm term, ILogPeer local, EpochHistory history, long start, long next, EnsembleRange range)
    {
        this.term = term;
        this.local = local;
        this.history = history;
        this.start = start;
        current = range;
        committed = range.First;
        window = new AppendWindow(next, term.Options.BatchBytes);
    }

    /// <summary>Is raised when a member is lost.</summary>
    public Signal Attention { get; } = new();

    /// <summary>Completes, faulted, when the leader has failed.</summary>
    public TaskCompletionSource Failed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The options.</summary>
    public ReplicationOptions Options => term.Options;

    /// <summary>The clock.</summary>
    public TimeProvider Time => term.Time;

    /// <summary>The owner's own replica.</summary>
    public ILogPeer Local => local;

    /// <summary>The number that the next record will have.</summary>
    public long Next
    {
        get
        {
            lock (gate)
            {
                return window.Next;
            }
        }
    }

    /// <summary>Records before this are needed no more.</summary>
    public long Start => Volatile.Read(ref start);

    /// <summary>Records before this are acknowledged.</summary>
    public long Committed => Locked(() => committed);

    /// <summary>The ensemble that acknowledges.</summary>
    public EnsembleRange Current => Locked(() => current);

    /// <summary>The connections to its members.</summary>
    public IReadOnlyList<FollowerLink> Links => links;

    /// <summary>True when more may be appended without holding too much in memory.</summary>
    public bool HasRoom
    {
        get
        {
            lock (gate)
            {
                return window.Bytes < Options.UnacknowledgedBytes;
            }
        }
    }

    /// <summary>Why the leader failed, or null.</summary>
    public Exception? Failure => Locked(() => failure);

    /// <summary>Takes a record in; returns its number. It is not durable yet.</summary>
    /// <exception cref="IOException">The leader has failed.</exception>
    public long Append(ReadOnlySpan<byte> payload)
    {
        ArgumentOutOfRangeException.ThrowIfZero(payload.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payload.Length, Storage.LogFrames.MaxPayloadBytes);
        lock (gate)
        {
            ThrowIfFailed();
            return window.Append(payload);
        }
    }

    /// <summary>Completes when all records up to <paramref name="number"/>, inclusive, are held by a quorum.</summary>
    /// <exception cref="IOException">The leader has failed; whether they are is open.</exception>
    /// <exception cref="EpochLostException">A later owner has the shard; whether they are is open.</exception>
    public async Task CommitAsync(long number)
    {
        TaskCompletionSource wait;
        lock (gate)
        {
            if (number < committed)
            {
                return;
            }

            ThrowIfFailed();
            wait = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            waiters.Enqueue(wait, number);
        }

        foreach (var link in links)
        {
            link.Wake();
        }

        await wait.Task;
    }

    /// <summary>Connects to the members.</summary>
    /// <param name="joins">The members that join: by which attempt, and from which record on.</param>
    public void Connect(IReadOnlyDictionary<string, (long Join, long At)> joins)
    {
        List<FollowerLink> made = [];
        lock (gate)
        {
            foreach (var member in current.Members.Concat(proposed?.Members ?? []).Distinct(StringComparer.Ordinal))
            {
                if (failure is null && !Array.Exists(links, l => l.Node.Value == member))
                {
                    var node = new NodeId(member);
                    var (join, at) = joins.GetValueOrDefault(member);
                    made.Add(new FollowerLink(this, node, node == term.Self ? local : term.Peer(node), join, at));
                }
            }

            // The own replica last: what goes to others travels while it writes.
            links = [.. links.Concat(made).OrderBy(l => l.Node == term.Self)];
        }

        foreach (var link in made)
        {
            var running = link.RunAsync();
            lock (gate)
            {
                work.RemoveAll(w => w.IsCompleted);
                work.Add(running);
            }
        }
    }

    /// <summary>Goes on with records of the leader's own epoch: where it begins is decided.</summary>
    public void Open(EpochHistory decided)
    {
        lock (gate)
        {
            history = decided;
        }

        foreach (var link in Links)
        {
            link.Restart();
        }
    }

    /// <summary>Proposes another ensemble, of which the manifest does not know yet: from now on records need both quorums. Gives its range.</summary>
    public EnsembleRange Propose(int acks, IReadOnlyList<string> members, IReadOnlyDictionary<string, (long Join, long At)> joins)
    {
        EnsembleRange range;
        lock (gate)
        {
            range = new EnsembleRange(committed, acks, members);
            proposed = range;
        }

        Disconnect(l => joins.ContainsKey(l.Node.Value));
        Connect(joins);
        return range;
    }

    /// <summary>The manifest has the proposed ensemble: it is the only one that counts.</summary>
    public void Adopt(EnsembleRange range)
    {
        lock (gate)
        {
            current = range;
            proposed = null;
        }

        Disconnect(l => !range.Members.Contains(l.Node.Value, StringComparer.Ordinal));
        Advance();
    }

    /// <summary>Records before this are needed no more: the manifest says so.</summary>
    public void DropBefore(long number)
    {
        lock (gate)
        {
            start = Math.Max(start, number);
            history = history.From(start);
        }
    }

    /// <summary>The request that brings a member into the epoch.</summary>
    /// <remarks>
    /// Who is no member of the ensemble has acknowledged none of the records that are in question, and is to be believed at once. A member that has lost records, and joins anew, may have
    /// acknowledged any that were sent, and been counted.
    /// </remarks>
    public BeginRequest Begin(string node, long join, long joinAt) => Locked(() => new BeginRequest(
        term.Epoch, start, history, join, joinAt, join == 0 ? 0 : current.Members.Contains(node, StringComparer.Ordinal) ? window.Next : joinAt));

    /// <summary>The records from one on that make the next batch.</summary>
    /// <exception cref="IOException">They can't be read.</exception>
    public async ValueTask<AppendRequest> BatchAsync(long from, long before = long.MaxValue, bool behind = false)
    {
        lock (gate)
        {
            var (held, count) = behind ? default : window.Take(from);
            if (count > 0)
            {
                return new AppendRequest(term.Epoch, history.EpochAt(from), history.EpochAt(from - 1), from, count, held, committed, start);
            }
        }

        var read = await local.AskAsync(new ReadRequest(from, Options.BatchBytes), CancellationToken.None);
        if (read.Status != ReplicaStatus.Done || read.FramesCount == 0)
        {
            throw new IOException($"record {from} of {term.Log} can't be read here: {read.Status}");
        }

        var taken = (int)Math.Min(read.FramesCount, before - from);
        var frames = read.Frames[..Storage.LogFrames.OffsetOf(read.Frames.Span, taken)];
        lock (gate)
        {
            return new AppendRequest(term.Epoch, read.FramesEpoch, history.EpochAt(from - 1), from, taken, frames, committed, start, behind);
        }
    }

    /// <summary>A member holds more.</summary>
    public void OnHeld(FollowerLink link)
    {
        if (link.Node == term.Self)
        {
            lock (gate)
            {
                DropHeld(link.Match);
            }
        }

        Advance();
    }

    /// <summary>A member is to be replaced.</summary>
    public void OnLost(FollowerLink link)
    {
        if (link.Node == term.Self)
        {
            Fail(new IOException($"this node's own replica of {term.Log} is lost: {link.Lost}"));
        }
        else
        {
            Attention.Raise();
        }
    }

    /// <summary>A member has promised a higher epoch.</summary>
    public void OnFenced(long promised) => Fail(new EpochLostException(term.Log.Shard, term.Epoch, promised));

    /// <summary>Stops for good: nothing more is acknowledged.</summary>
    public void Fail(Exception cause)
    {
        List<TaskCompletionSource> waiting;
        lock (gate)
        {
            if (failure is not null)
            {
                return;
            }

            failure = cause;
            waiting = [.. waiters.UnorderedItems.Select(w => w.Element)];
            waiters.Clear();
        }

        Disconnect(static _ => true);
        foreach (var waiter in waiting)
        {
            waiter.TrySetException(cause);
        }

        Failed.TrySetException(cause);
        _ = Failed.Task.Exception; // Who wants to know awaits it; nobody has to.
        Attention.Raise();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Fail(new IOException($"the log {term.Log} is closed"));
        List<Task> ending;
        lock (gate)
        {
            ending = [.. work];
        }

        await Task.WhenAll(ending);
    }

    private void Advance()
    {
        List<TaskCompletionSource>? done = null;
        lock (gate)
        {
            var held = proposed is null ? Held(current)
                : Options.Mutant == Mutant.CountsNewEnsembleAtOnce ? Held(proposed)
                : Math.Min(Held(current), Held(proposed));
            if (failure is not null || held <= committed)
            {
                return;
            }

            committed = held;
            while (waiters.TryPeek(out var waiter, out var number) && number < committed)
            {
                (done ??= []).Add(waiter);
                waiters.Dequeue();
            }

            DropHeld(MatchOf(term.Self.Value));
        }

        foreach (var waiter in done ?? [])
        {
            waiter.TrySetResult();
        }
    }

    /// <summary>Until before which record a quorum of an ensemble holds the log.</summary>
    private long Held(EnsembleRange range)
    {
        Span<long> matches = stackalloc long[range.Members.Count];
        for (var i = 0; i < matches.Length; i++)
        {
            matches[i] = -MatchOf(range.Members[i]);
        }

        matches.Sort();
        if (Options.Mutant == Mutant.CountsAnswersTwice && matches.Length > 1)
        {
            matches[1] = matches[0];
        }

        return -matches[Options.Mutant == Mutant.AcknowledgesEarly ? 0 : range.Acks - 1];
    }

    private long MatchOf(string member)
    {
        foreach (var link in links)
        {
            if (link.Node.Value == member)
            {
                return link.Match;
            }
        }

        return 0;
    }

    /// <summary>Forgets records that are acknowledged and on this node's own disk. The caller holds the gate.</summary>
    private void DropHeld(long heldHere) => window.DropBefore(Math.Min(committed, heldHere));

    private void Disconnect(Predicate<FollowerLink> leaves)
    {
        FollowerLink[] leaving;
        lock (gate)
        {
            leaving = Array.FindAll(links, leaves);
            links = Array.FindAll(links, l => !leaves(l));
        }

        Array.ForEach(leaving, static l => l.Stop());
    }

    private T Locked<T>(Func<T> read)
    {
        lock (gate)
        {
            return read();
        }
    }

    private void ThrowIfFailed()
    {
        switch (failure)
        {
            case null:
                return;
            case EpochLostException lost:
                throw lost;
            default:
                throw new IOException(failure.Message, failure);
        }
    }
}
