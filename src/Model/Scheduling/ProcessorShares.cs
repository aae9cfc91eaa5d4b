namespace Metrics.Model;

/// <summary>What a tenant uses processors for; its writes and its queries do not wait for each other.</summary>
public enum ProcessorUse
{
    /// <summary>Reading and judging what it sends.</summary>
    Write,

    /// <summary>Answering what it asks.</summary>
    Query,
}

/// <summary>Shares the processors of this process among tenants. Work that may keep a processor for longer than a moment takes a turn, and at its checkpoints lets others before it.</summary>
/// <remarks>
/// <code>
///   EnterAsync ──► waiting ──► running ──► done        as many run as there are processors
///                     ▲           │
///                     └───────────┘                    at a checkpoint, when somebody waits who has had less
/// </code>
/// Time used is counted by tenant and use, and a free processor goes to who has used least; of that one's work, to the smallest by class, so that what is short does not wait for what is long, and within a class to the
/// oldest: large pieces are finished one after the other, and only few hold memory at a time. Whoever comes back after a pause is put no further ahead than <see cref="Credit"/>: idling saves nothing up. One that has less than another runs at once even where all processors are taken, for a checkpoint may be some time
/// away, and the operating system divides them until then. So a tenant that asks for all there is gets its share of it, whatever number of requests it asks with, and another's short work waits about a <see cref="Slice"/>.
/// The measure is the virtual time of Linux's CFS (Molnar 2007, after weighted fair queueing), the order within a tenant that of a multilevel feedback queue (Corbató 1962), aged so that nothing starves. Thread-safe.
/// </remarks>
public sealed partial class ProcessorShares(int processors, TimeProvider time)
{
    /// <summary>The least time that is worth a change: beyond it, changes cost under a hundredth.</summary>
    public static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(2);

    /// <summary>How much less than all others a tenant may have used, at most: some dashboards' queries.</summary>
    public static readonly TimeSpan Credit = TimeSpan.FromMilliseconds(100);

    /// <summary>For so long after it wanted something a tenant counts as one that is there: a scrape and some.</summary>
    public static readonly TimeSpan Presence = TimeSpan.FromSeconds(20);

    /// <summary>A piece rises by one class for each of these that it waits.</summary>
    public static readonly TimeSpan Aging = TimeSpan.FromSeconds(5);

    /// <summary>Classes of pieces by the time that they may run before they fall into the next: each sixteen times the one before.</summary>
    private static readonly TimeSpan[] classes = [TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(320), TimeSpan.FromSeconds(5)];

    private readonly long slice = InStamps(Slice, time);
    private readonly long aging = InStamps(Aging, time);
    private readonly long[] classStamps = [.. classes.Select(c => InStamps(c, time))];
    private readonly Lock sync = new();
    private readonly List<ProcessorTurn> running = [];
    private readonly List<ProcessorTurn> waiting = [];
    private long lastNumber;
    private volatile bool isContended;

    /// <summary>Those of this process.</summary>
    public static ProcessorShares OfProcess { get; } = new(Environment.ProcessorCount, TimeProvider.System);

    /// <summary>Pieces that run and that wait now.</summary>
    public (int Running, int Waiting) Load
    {
        get
        {
            lock (sync)
            {
                return (running.Count, waiting.Count);
            }
        }
    }

    /// <summary>Waits for a turn, which the caller runs work in or disposes.</summary>
    /// <param name="tenant">Whose work.</param>
    /// <param name="use">What for.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <param name="expected">About how long the work will run, where that is known; a rough guess puts it into its class.</param>
    /// <exception cref="OperationCanceledException">Cancelled before it came.</exception>
    public async ValueTask<ProcessorTurn> EnterAsync(TenantId tenant, ProcessorUse use, CancellationToken cancellation, TimeSpan expected = default)
    {
        cancellation.ThrowIfCancellationRequested();
        ProcessorTurn turn;
        Task granted;
        lock (sync)
        {
            turn = NewTurn(tenant, use, expected);
            if (StartOrQueue(turn))
            {
                return turn;
            }

            granted = GrantOf(turn);
        }

        await using var registration = cancellation.Register(() => Abandon(turn, cancellation)).ConfigureAwait(false);
        await granted.ConfigureAwait(false);
        return turn;
    }

    /// <summary>Lets others before a piece that runs, if it is time; comes back when its turn has come again.</summary>
    internal void Check(ProcessorTurn turn)
    {
        if (!isContended || time.GetTimestamp() - turn.Since < slice)
        {
            return;
        }

        Task returned;
        ProcessorTurn? granted;
        lock (sync)
        {
            ChargeAll();
            if (!ShouldYield(turn))
            {
                return;
            }

            Stop(turn);
            Queue(turn);
            returned = GrantOf(turn);
            granted = Grant();
        }

        HandOut(granted);
        returned.Wait();
    }

    /// <summary>A piece waits for something else than a processor, or is done.</summary>
    internal void Leave(ProcessorTurn turn) => HandOut(Release(turn));

    /// <summary>The same for who then hands out the turns that others have got by it.</summary>
    internal ProcessorTurn? Release(ProcessorTurn turn)
    {
        lock (sync)
        {
            ChargeAll();
            Stop(turn);
            return Grant();
        }
    }

    /// <summary>A piece that waited for something else goes on; comes back when its turn has come.</summary>
    internal void Return(ProcessorTurn turn)
    {
        Task returned;
        lock (sync)
        {
            Wake(turn.Share);
            if (StartOrQueue(turn))
            {
                return;
            }

            returned = GrantOf(turn);
        }

        returned.Wait();
    }

    private static long InStamps(TimeSpan span, TimeProvider time) => (long)(span.TotalSeconds * time.TimestampFrequency);

    /// <summary>Completes when a piece that was queued gets its turn.</summary>
    private static Task GrantOf(ProcessorTurn turn)
    {
        turn.Granted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return turn.Granted.Task;
    }

    private ProcessorTurn NewTurn(TenantId tenant, ProcessorUse use, TimeSpan expected) =>
        new(this, ShareOf(tenant, use)) { Number = ++lastNumber, Class = ClassOf(InStamps(expected, time)) };

    private bool MayStart(ProcessorShare share) =>
        running.Count < processors || (share.Running < processors && running.Count < 2 * processors && share.Used + slice < MostUsed());

    private bool ShouldYield(ProcessorTurn turn)
    {
        if (running.Count > processors)
        {
            return turn.Share.Used >= MostUsed();
        }

        return Next(mayStart: false) is { } next
            && (ReferenceEquals(next.Share, turn.Share) ? AgedClass(next, time.GetTimestamp()) < turn.Class : next.Share.Used + slice < turn.Share.Used);
    }

    /// <summary>Who comes first of those that wait; with <paramref name="mayStart"/> of those that may start now.</summary>
    private ProcessorTurn? Next(bool mayStart)
    {
        ProcessorTurn? best = null;
        var now = time.GetTimestamp();
        foreach (var turn in waiting)
        {
            if (mayStart && !MayStart(turn.Share))
            {
                continue;
            }

            if (best is null || turn.Share.Used < best.Share.Used || (ReferenceEquals(turn.Share, best.Share) && (AgedClass(turn, now), turn.Number).CompareTo((AgedClass(best, now), best.Number)) < 0))
            {
                best = turn;
            }
        }

        return best;
    }

    private long AgedClass(ProcessorTurn turn, long now) => turn.Class - ((now - turn.Since) / aging);

    private int ClassOf(long stamps)
    {
        var number = 0;
        while (number < classStamps.Length && stamps > classStamps[number])
        {
            number++;
        }

        return number;
    }

    /// <summary>Starts a piece, or has it wait: false.</summary>
    private bool StartOrQueue(ProcessorTurn turn)
    {
        if (MayStart(turn.Share))
        {
            Start(turn);
            return true;
        }

        Queue(turn);
        return false;
    }

    private void Start(ProcessorTurn turn)
    {
        turn.Since = time.GetTimestamp();
        turn.Share.Running++;
        turn.HasHadMost |= HasHadMost(turn.Share);
        running.Add(turn);
        Note();
    }

    private void Stop(ProcessorTurn turn)
    {
        running.Remove(turn);
        turn.Share.Running--;
    }

    private void Queue(ProcessorTurn turn)
    {
        turn.Since = time.GetTimestamp();
        turn.Share.Waiting++;
        waiting.Add(turn);
        Note();
    }

    /// <summary>Gives turns to those who wait, as far as there are any. They are to be handed out outside the lock.</summary>
    /// <returns>The first of them, which has the next behind it.</returns>
    private ProcessorTurn? Grant()
    {
        ProcessorTurn? first = null;
        ProcessorTurn? last = null;
        while (Next(mayStart: true) is { } turn)
        {
            waiting.Remove(turn);
            turn.Share.Waiting--;
            Start(turn);
            last = last is null ? first = turn : last.NextGranted = turn;
        }

        Note();
        return first;
    }

    private void Note() => isContended = waiting.Count > 0 || running.Count > processors;

    private void Abandon(ProcessorTurn turn, CancellationToken cancellation)
    {
        lock (sync)
        {
            // A piece for which a thread waits has begun, and ends by itself.
            var hasBegun = turn is { Piece: not null, Granted: not null };
            if (hasBegun || !waiting.Remove(turn))
            {
                return;
            }

            turn.Share.Waiting--;
            Note();
        }

        turn.Granted?.SetCanceled(cancellation);
        turn.Piece?.Cancel(cancellation);
    }
}
