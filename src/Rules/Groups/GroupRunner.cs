namespace Metrics.Rules.Groups;

/// <summary>Evaluates a group at its ticks until it is stopped.</summary>
/// <remarks>
/// <para>
/// A tick is evaluated at its own timestamp even when it is late. When a tick takes longer than the interval, those that went by are counted as missed and the latest
/// is evaluated. Without a state the first tick is the next one; with one, the current tick is evaluated at once if it has not been.
/// </para>
/// <para>
/// Whoever runs the group has claimed the next tick in its saved state, and saves the claim upon the one after together with what the tick gave: no call more than the state needs. The claim is a lease: another owner waits
/// until the first has let go, and then goes on with the very next tick, or until half an interval after the claimed tick without a sign of life. Then it replaces the claim by its own, upon the tick after the claimed
/// one, and from then on the other's saves are refused. So however stale an owner is, it evaluates nothing beyond the tick it had claimed, which nobody else evaluates: no tick is evaluated twice, and a change of owner
/// costs one tick at most, and that only if the other is gone without having let go. An owner that was overtaken waits in turn, for as long as it is thought to be the owner here. One that does not hear that it is none
/// any more, and goes on, does no harm.
/// </para>
/// <para>
/// A claim of an earlier run of the same process is respected when its tick is due: the run may have died in the middle of it. Before that it is ours. While storage does not answer, owners go on without it: alerts
/// matter more than that a tick is evaluated but once.
/// </para>
/// </remarks>
internal sealed class GroupRunner(RuleGroup group, IRuleStateStore? states, RuleOwner owner) : IAsyncDisposable
{
    // An evaluation that has begun is finished, so that its tick is evaluated once and whole; beyond this it is given up.
    private static readonly TimeSpan grace = TimeSpan.FromSeconds(20);

    // How long a tick waits for storage that does not answer, before it is evaluated without; and letting go, before it is given up.
    private const int RegainAttempts = 4;
    private static readonly TimeSpan regainPause = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource stopping = new();
    private readonly CancellationTokenSource aborting = new();

    // The tick that comes next; whether it is claimed in the saved state; and whether one ever was, so that whoever has the group otherwise has overtaken us.
    private long next;
    private bool isClaimed;
    private bool wasClaimed;
    private bool hasOwnState;

    // A later tick than the last evaluated one that another owner has, or may have, evaluated.
    private long? takenMs;

    // Until when another owner, as last seen, has the group.
    private long othersUntilMs;
    private Task? running;

    /// <summary>The group.</summary>
    public RuleGroup Group => group;

    /// <summary>False while another owner has the group: then what is known of it here is nothing, or old.</summary>
    public bool IsHeld { get; private set; }

    /// <summary>Takes the group over, with the state it was left with; when another owner has it, that is left to <see cref="Start"/>. To be called once, before it.</summary>
    /// <param name="hasState">True when the group goes on from a predecessor in this process: then what is stored is replaced.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task TakeOverAsync(bool hasState, CancellationToken cancellation)
    {
        hasOwnState = hasState;
        IsHeld = await TryTakeOverAsync(cancellation);
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
        while (IsHeld || await HoldAsync(stop))
        {
            try
            {
                await EvaluateTicksAsync(stop, abort);
                return;
            }
            catch (OperationCanceledException e) when (!abort.IsCancellationRequested)
            {
                if (stop.IsCancellationRequested)
                {
                    return;
                }

                group.Services.Observer?.OnUpkeepFailed(group.Key, "keeping the group: another owner has it, and is waited for", e);
                (IsHeld, isClaimed, wasClaimed, hasOwnState, next) = (false, false, false, false, 0);
            }
            catch (OperationCanceledException)
            {
                // An evaluation took too long to be waited for; its tick stays claimed.
                return;
            }
        }
    }

    /// <summary>Waits for whoever has the group, and takes it over; false when this one is stopped before.</summary>
    private async Task<bool> HoldAsync(CancellationToken stop)
    {
        var pauses = new ClaimPauses(group.IntervalMs);
        try
        {
            do
            {
                await Task.Delay(pauses.Next(), group.Services.Time, stop);
                IsHeld = await TryTakeOverAsync(stop);
            }
            while (!IsHeld);
            return true;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Evaluates tick after tick until stopped, and lets go of the group.</summary>
    /// <exception cref="OperationCanceledException">Another owner has the group.</exception>
    private async Task EvaluateTicksAsync(CancellationToken stop, CancellationToken abort)
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
            group.Services.Observer?.OnEvaluated(group.Key, next);
            takenMs = null;
            next = Math.Max(next + group.IntervalMs, group.Schedule.TickAtOrBefore(NowMs));
            await ClaimAsync(abort);
        }

        // What is not let go costs the next owner a tick.
        for (var attempt = 1; wasClaimed && attempt <= RegainAttempts && !await KeepAsync(null, abort); attempt++)
        {
            await Task.Delay(regainPause, group.Services.Time, abort);
        }
    }

    private long NowMs => group.Services.Time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>The first tick: the current one when it has been left undone, and after the one that somebody else has claimed.</summary>
    private long FirstTick(long? lastMs, long? takenMs)
    {
        var currentMs = group.Schedule.TickAtOrBefore(NowMs);
        var firstMs = lastMs is { } last ? Math.Max(last + group.IntervalMs, currentMs) : next != 0 ? next : currentMs + group.IntervalMs;
        return takenMs is { } taken ? Math.Max(firstMs, group.Schedule.TickAtOrAfter(taken + 1)) : firstMs;
    }

    /// <summary>Half an interval after a claimed tick its owner would have evaluated it and saved what it gave; and there is time to be ready for the next.</summary>
    private long GoneAfterMs => group.IntervalMs / 2;

    /// <summary>True when another owner, which may be alive, has claimed a tick that is not over. A claim far ahead is one of a time when the group had another interval.</summary>
    private bool IsInOtherHands(GroupState left) => left.Owner != owner && !owner.Succeeds(left.Owner)
        && left.ClaimedTickMs is { } claimed && NowMs < claimed + GoneAfterMs && claimed <= NowMs + (2 * group.IntervalMs);

    /// <summary>True when nobody has evaluated the group for so long that its alerts begin anew, as in Prometheus: Alertmanagers have resolved them meanwhile.</summary>
    private bool IsForgotten(GroupState left) => NowMs - left.LastTickMs > group.IntervalMs + group.Services.Options.OutageToleranceMs;

    /// <summary>The latest tick that is not to be evaluated here, because another owner has or may have evaluated it; null when none is known.</summary>
    private long? Taken(GroupState? left)
    {
        if (left is null)
        {
            return null;
        }

        // What it has claimed itself it knows to have evaluated or not; an earlier run did not live to see a tick that is yet to come.
        var isUnseen = left.ClaimedTickMs > NowMs && owner.Succeeds(left.Owner);
        var taken = left.Owner == owner || isUnseen ? left.TakenTickMs : left.ClaimedTickMs ?? left.TakenTickMs;

        // Ticks far ahead are of a time when the group had another interval.
        return taken <= NowMs + (2 * group.IntervalMs) ? taken : null;
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

    /// <summary>Takes the group over; false when another owner has it.</summary>
    private async Task<bool> TryTakeOverAsync(CancellationToken cancellation)
    {
        for (var wasRefused = false; ; wasRefused = true)
        {
            var (isKnown, left) = await LoadAsync(cancellation);
            if (!isKnown)
            {
                // It is not overwritten unseen. There is time until another owner, as last seen, would be gone, or else until the next tick; which stays due.
                next = next == 0 ? FirstTick(group.LastTickMs, null) : next;
                return Math.Max(othersUntilMs, next) <= NowMs;
            }

            // A refused save of this owner may have met an earlier one of its own that was thought lost.
            if (left is not null && (IsInOtherHands(left) || (wasRefused && left.Owner != owner)))
            {
                othersUntilMs = left.ClaimedTickMs is { } claimed ? claimed + GoneAfterMs : othersUntilMs;
                return false;
            }

            left = left is not null && IsForgotten(left) ? left.WithoutAlerts() : left;
            var leftMs = left?.LastTickMs is { } tick && group.Schedule.TickAtOrBefore(tick) == tick ? tick : (long?)null;
            takenMs = Taken(left);
            next = FirstTick(hasOwnState ? group.LastTickMs : leftMs, takenMs);
            try
            {
                isClaimed = await SaveAsync(hasOwnState || left is null ? group.Capture() : left, next, cancellation);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                continue;
            }

            if (left is not null && !hasOwnState)
            {
                group.Continue(left, leftMs is not null);
            }

            return true;
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
        else if (!await TryTakeOverAsync(abort))
        {
            throw new OperationCanceledException($"another owner evaluates {group.Key}");
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
            await states.SaveAsync(group.Key, state with { Owner = owner, ClaimedTickMs = claimMs, TakenTickMs = takenMs }, cancellation);
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
