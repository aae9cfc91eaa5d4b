namespace Metrics.Rules.Groups;

/// <summary>Evaluates a group at its ticks until it is stopped.</summary>
/// <remarks>
/// <para>
/// A tick is evaluated at its own timestamp even when it is late. When a tick takes longer than the interval, those that went by are counted as missed and the latest
/// is evaluated. Without a state the first tick is the next one; with one, the current tick is evaluated at once if it has not been.
/// </para>
/// <para>
/// Whoever runs the group has claimed the next tick in its saved state, and saves the claim upon the one after together with what the tick gave: no call more than the state needs. An owner that
/// takes over replaces the claim by its own, upon the tick after the claimed one; from then on the other's saves are refused. So however stale an owner is, it evaluates nothing beyond
/// the tick it had claimed, which nobody else evaluates: no tick is evaluated twice, and a change of owner costs one tick at most, and that only if the other is gone without having let go.
/// An owner takes no notice of its own claim: it lost its memory, not the group. While storage does not answer, owners go on without it: alerts matter more than that a tick
/// is evaluated but once.
/// </para>
/// </remarks>
internal sealed class GroupRunner(RuleGroup group, IRuleStateStore? states, string owner) : IAsyncDisposable
{
    // An evaluation that has begun is finished, so that its tick is evaluated once and whole; beyond this it is given up.
    private static readonly TimeSpan grace = TimeSpan.FromSeconds(20);

    // How long a tick waits for storage that does not answer, before it is evaluated without.
    private const int RegainAttempts = 4;
    private static readonly TimeSpan regainPause = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource stopping = new();
    private readonly CancellationTokenSource aborting = new();

    // The tick that comes next; whether it is claimed in the saved state; and whether one ever was, so that whoever has the group otherwise has overtaken us.
    private long next;
    private bool isClaimed;
    private bool wasClaimed;
    private bool hasOwnState;
    private Task? running;

    /// <summary>The group.</summary>
    public RuleGroup Group => group;

    /// <summary>Takes the group over, with the state it was left with. To be called once, before <see cref="Start"/>.</summary>
    /// <param name="hasState">True when the group goes on from a predecessor in this process: then what is stored is replaced.</param>
    /// <param name="cancellation">Gives up.</param>
    public Task TakeOverAsync(bool hasState, CancellationToken cancellation)
    {
        hasOwnState = hasState;
        return TakeOverAsync(cancellation);
    }

    /// <summary>Begins.</summary>
    public void Start() => running = RunAsync(stopping.Token, aborting.Token);

    /// <summary>Stops, after an evaluation under way, and lets go of the group.</summary>
    public async ValueTask DisposeAsync()
    {
        Cancel(stopping);
        if (running is not null)
        {
            try
            {
                await running.WaitAsync(grace, group.Services.Time);
            }
            catch (TimeoutException)
            {
                Cancel(aborting);
                await running;
            }
        }

        stopping.Dispose();
        aborting.Dispose();
    }

    /// <summary>Cancels here and now: nothing of weight hangs on it, and a simulation has no other thread.</summary>
    internal static void Cancel(CancellationTokenSource source) => source.Cancel();

    /// <summary>Runs until cancelled.</summary>
    internal async Task RunAsync(CancellationToken stop, CancellationToken abort)
    {
        await Task.Yield();
        try
        {
            while (await IsDueAsync(stop))
            {
                if (!isClaimed && await RegainAsync(abort))
                {
                    continue;
                }

                CountMissed();
                await group.EvaluateAsync(next, abort);
                hasOwnState = true;
                next = Math.Max(next + group.IntervalMs, group.Schedule.TickAtOrBefore(NowMs));
                await ClaimAsync(abort);
            }

            if (wasClaimed)
            {
                await KeepAsync(null, abort);
            }
        }
        catch (OperationCanceledException e)
        {
            if (!stop.IsCancellationRequested)
            {
                group.Services.Observer?.OnUpkeepFailed(group.Key, "keeping the group: another owner has it, and it ends here", e);
            }
        }
    }

    private long NowMs => group.Services.Time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>The first tick: the current one when it has been left undone, and after the one that somebody else has claimed.</summary>
    private long FirstTick(long? lastMs, long? foreignMs)
    {
        var currentMs = group.Schedule.TickAtOrBefore(NowMs);
        var firstMs = lastMs is { } last ? Math.Max(last + group.IntervalMs, currentMs) : next != 0 ? next : currentMs + group.IntervalMs;
        return foreignMs is { } claimed ? Math.Max(firstMs, group.Schedule.TickAtOrAfter(claimed + 1)) : firstMs;
    }

    /// <summary>Counts the ticks between the last one and the next.</summary>
    private void CountMissed()
    {
        var missed = group.LastTickMs is { } last ? ((next - last) / group.IntervalMs) - 1 : 0;
        if (missed > 0)
        {
            group.Counters.CountMissed(missed);
        }
    }

    /// <summary>Waits for the next tick; false when the group stops before.</summary>
    private async Task<bool> IsDueAsync(CancellationToken stop)
    {
        var waitMs = next - NowMs;
        if (waitMs > 0)
        {
            try
            {
                await Task.Delay(TimeSpan.FromMilliseconds(waitMs), group.Services.Time, stop);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }

        return !stop.IsCancellationRequested;
    }

    private async Task TakeOverAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var (isKnown, left) = await LoadAsync(cancellation);
            if (!isKnown)
            {
                // It is not overwritten unseen; the tick that is due stays due.
                next = next == 0 ? FirstTick(group.LastTickMs, null) : next;
                return;
            }

            var leftMs = left?.LastTickMs is { } tick && group.Schedule.TickAtOrBefore(tick) == tick ? tick : (long?)null;
            var lastMs = hasOwnState ? group.LastTickMs : leftMs;
            next = FirstTick(lastMs, left is not null && left.Owner != owner ? left.ClaimedTickMs : null);
            try
            {
                isClaimed = await SaveAsync(hasOwnState || left is null ? group.Capture() : left, next, cancellation);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                // Whoever has it has saved in between.
                continue;
            }

            if (left is not null && !hasOwnState)
            {
                group.Continue(left, leftMs is not null);
            }

            return;
        }
    }

    /// <summary>Before a tick that is not claimed, because storage failed: claims it if storage answers soon. True when another tick is next then.</summary>
    private async Task<bool> RegainAsync(CancellationToken abort)
    {
        var due = next;
        for (var attempt = 1; !isClaimed && attempt <= RegainAttempts; attempt++)
        {
            if (attempt > 1)
            {
                await Task.Delay(regainPause, group.Services.Time, abort);
            }

            await ClaimAsync(abort);
        }

        return next != due;
    }

    /// <summary>Claims the next tick: as whoever has the group or, when storage has never answered yet, by taking it over.</summary>
    /// <exception cref="OperationCanceledException">Another owner has the group.</exception>
    private async Task ClaimAsync(CancellationToken abort)
    {
        if (wasClaimed)
        {
            isClaimed = await KeepAsync(next, abort);
        }
        else
        {
            await TakeOverAsync(abort);
        }
    }

    /// <summary>Saves the state with a claim upon a tick, or without any; false when storage failed.</summary>
    /// <exception cref="OperationCanceledException">Another owner has the group.</exception>
    private async Task<bool> KeepAsync(long? claimMs, CancellationToken abort)
    {
        while (true)
        {
            try
            {
                return await SaveAsync(group.Capture(), claimMs, abort);
            }
            catch (OperationCanceledException) when (!abort.IsCancellationRequested)
            {
                // It may have been a save of our own that was thought lost and has arrived late.
                if (await LoadAsync(abort) is (_, { } stored) && stored.Owner != owner)
                {
                    throw;
                }
            }
        }
    }

    /// <summary>The stored state, null when there is none; and whether that is known at all.</summary>
    private async Task<(bool IsKnown, GroupState? State)> LoadAsync(CancellationToken cancellation)
    {
        try
        {
            return (true, states is null ? null : await states.LoadAsync(group.Key, cancellation));
        }
        catch (FormatException e)
        {
            // Nobody will ever read it.
            group.Services.Observer?.OnUpkeepFailed(group.Key, "reading the state", e);
            return (true, null);
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            group.Services.Observer?.OnUpkeepFailed(group.Key, "loading the state", e);
            return (false, null);
        }
    }

    /// <summary>Saves a state as this owner's; false when storage failed.</summary>
    /// <exception cref="OperationCanceledException">Someone else has saved since, or it is to be given up.</exception>
    private async Task<bool> SaveAsync(GroupState state, long? claimMs, CancellationToken cancellation)
    {
        if (states is null)
        {
            return true;
        }

        try
        {
            await states.SaveAsync(group.Key, state with { Owner = owner, ClaimedTickMs = claimMs }, cancellation);
            wasClaimed = true;
            return true;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // The next tick saves again; until then a new owner would start from the tick before.
            group.Services.Observer?.OnUpkeepFailed(group.Key, "saving the state", e);
            return false;
        }
    }
}
