namespace Metrics.Cluster;

/// <summary>A leader's connection to one member: brings it into the epoch, sends it what it lacks, a batch at a time, and begins again where the member stands when anything goes wrong.</summary>
/// <remarks>
/// Its loop is the only one that sends records to the member's log; answers may come in any order. It sends the first batch on the thread of who woke it, which is about to wait for just that; what came meanwhile, on another.
/// </remarks>
internal sealed class FollowerLink : IDisposable
{
    private readonly LogLeader leader;
    private readonly ILogPeer peer;
    private readonly ReplicationOptions options;
    private readonly TimeProvider time;
    private readonly Signal wake = new(onRaiser: true);
    private readonly CancellationTokenSource stop = new();
    private readonly Lock gate = new();

    // Guarded by gate: answers come on any thread.
    private long session;
    private long bytesInFlight;
    private int batchesInFlight;
    private long match;
    private long? owesSince;

    private int restarted;

    // The loop's own.
    private long nextToSend;

    /// <summary>Makes a link; <see cref="RunAsync"/> works it.</summary>
    /// <param name="leader">Whose.</param>
    /// <param name="node">The member's node.</param>
    /// <param name="peer">The member.</param>
    /// <param name="join">The attempt by which it joined, or 0.</param>
    /// <param name="joinAt">The record from which on it joined.</param>
    public FollowerLink(LogLeader leader, NodeId node, ILogPeer peer, long join, long joinAt)
    {
        this.leader = leader;
        this.peer = peer;
        options = leader.Options;
        time = leader.Time;
        Node = node;
        Join = join;
        JoinAt = joinAt;
    }

    /// <summary>The member's node.</summary>
    public NodeId Node { get; }

    /// <summary>The attempt by which it joined, or 0.</summary>
    public long Join { get; }

    /// <summary>From where it joined.</summary>
    public long JoinAt { get; }

    /// <summary>The member holds all the leader's records from where it joined until before this one.</summary>
    public long Match
    {
        get
        {
            lock (gate)
            {
                return match;
            }
        }
    }

    /// <summary>What the member last said it holds; null before it has said anything.</summary>
    public ReplicaAnswer? Held { get; private set; }

    /// <summary>Why it is to be replaced, or null.</summary>
    public string? Lost { get; private set; }

    /// <summary>Works until <see cref="Stop"/>, or until the leader has lost its epoch.</summary>
    public async Task RunAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (await SessionAsync())
                {
                    continue;
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
            {
                OnSilence(e.Message);
            }
            catch (Exception e)
            {
                leader.Fail(e);
                return;
            }

            await PauseAsync();
        }
    }

    /// <summary>There may be something to send.</summary>
    public void Wake() => wake.Raise();

    /// <summary>Begins a new session: the history is another one.</summary>
    public void Restart()
    {
        Volatile.Write(ref restarted, 1);
        EndSession();
        wake.Raise();
    }

    /// <summary>Ends the work.</summary>
    public void Stop()
    {
        EndSession();
        stop.Cancel();
        wake.Raise();
    }

    /// <inheritdoc/>
    public void Dispose() => stop.Dispose();

    /// <summary>The host knows that the node is gone.</summary>
    public void Lose(string why)
    {
        Lost ??= why;
        leader.OnLost(this);
    }

    /// <summary>Asks the member something, within the time that a request may take.</summary>
    /// <exception cref="IOException">It did not answer.</exception>
    public async ValueTask<ReplicaAnswer> AskAsync(ReplicaRequest request)
    {
        lock (gate)
        {
            owesSince ??= time.GetTimestamp();
        }

        try
        {
            var answer = await peer.AskAsync(request, stop.Token).AsTask().WaitAsync(options.RequestTimeout, time, stop.Token);
            lock (gate)
            {
                owesSince = null;
            }

            if (answer.Status == ReplicaStatus.Fenced)
            {
                leader.OnFenced(answer.Promised);
            }
            else if (answer.IsDamaged)
            {
                Lose("it has lost records");
            }
            else if (answer.Status != ReplicaStatus.Failed)
            {
                Held = answer;
            }

            return answer;
        }
        catch (TimeoutException e)
        {
            throw new IOException($"{Node} did not answer within {options.RequestTimeout}", e);
        }
    }

    /// <summary>One session; true when the next one is to begin at once.</summary>
    private async Task<bool> SessionAsync()
    {
        long mine;
        lock (gate)
        {
            mine = ++session;
            (bytesInFlight, batchesInFlight) = (0, 0);
        }

        var begun = await AskAsync(leader.Begin(Node.Value, Join, JoinAt));
        if (!IsCurrent(mine))
        {
            return true; // What it holds was judged by another history.
        }

        if (begun.Status != ReplicaStatus.Done)
        {
            OnSilence($"it answered {begun.Status}");
            return false;
        }

        if (begun.Next < leader.Start)
        {
            Lose($"it ends at record {begun.Next}, and the log begins at {leader.Start}");
            return false;
        }

        // Its log agrees with the decided history, so with ours, as far as ours goes.
        nextToSend = Math.Min(begun.Next, leader.Next);
        OnHeld(nextToSend);
        var before = Match;
        var sentHere = 0;
        while (IsCurrent(mine))
        {
            if (nextToSend < leader.Next && HasRoom())
            {
                if (++sentHere == 2)
                {
                    await Task.Yield(); // Who woke us wants its answer.
                }

                var batch = await leader.BatchAsync(nextToSend);
                if (!IsCurrent(mine))
                {
                    break;
                }

                nextToSend = batch.End;
                lock (gate)
                {
                    bytesInFlight += batch.Frames.Length;
                    batchesInFlight++;
                }

                _ = SendAsync(batch, mine);
            }
            else
            {
                await wake.WaitAsync();
                sentHere = 0;
            }
        }

        // At once, too, after a gap, if the session got anywhere: what follows was only out of order.
        return Interlocked.Exchange(ref restarted, 0) != 0 || Match > before;
    }

    /// <summary>Waits, and is not woken by what there may be to send: a member that answers at once, and wrongly, would keep us busy.</summary>
    private async Task PauseAsync()
    {
        try
        {
            await Task.Delay(options.RetryAfter, time, stop.Token);
        }
        catch (OperationCanceledException)
        {
            return; // The link is stopped, as its loop sees.
        }
    }

    private async Task SendAsync(AppendRequest batch, long mine)
    {
        try
        {
            var answer = await AskAsync(batch);
            if (answer.Status == ReplicaStatus.Done)
            {
                OnHeld(batch.End);
            }
            else
            {
                EndSession(mine);
                OnSilence($"it answered {answer.Status}");
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            EndSession(mine);
            OnSilence(e.Message);
        }
        catch (Exception e)
        {
            leader.Fail(e);
        }

        lock (gate)
        {
            if (session == mine)
            {
                bytesInFlight -= batch.Frames.Length;
                batchesInFlight--;
            }
        }

        wake.Raise();
    }

    private void OnHeld(long end)
    {
        lock (gate)
        {
            match = Math.Max(match, end);
        }

        leader.OnHeld(this);
    }

    private void OnSilence(string why)
    {
        bool isLost;
        lock (gate)
        {
            isLost = owesSince is { } since && time.GetElapsedTime(since) >= options.LostAfter;
        }

        if (isLost && !stop.IsCancellationRequested)
        {
            Lose(why);
        }
    }

    private bool HasRoom()
    {
        lock (gate)
        {
            return bytesInFlight < options.InFlightBytes && batchesInFlight < options.InFlightBatches;
        }
    }

    private bool IsCurrent(long mine)
    {
        lock (gate)
        {
            return session == mine && !stop.IsCancellationRequested;
        }
    }

    private void EndSession(long? mine = null)
    {
        lock (gate)
        {
            session += mine is { } only && only != session ? 0 : 1;
        }
    }
}
