namespace Metrics.Rules.Groups;

/// <summary>Where the state of groups outlives its owner.</summary>
/// <remarks>
/// Saved after every tick. An implementation that fences (a compare-and-swap under the owner's epoch) makes a stale owner stop at its first save:
/// <see cref="SaveAsync"/> then throws <see cref="OperationCanceledException"/>.
/// </remarks>
public interface IRuleStateStore
{
    /// <summary>The state that was saved last; null when there is none.</summary>
    ValueTask<GroupState?> LoadAsync(string groupKey, CancellationToken cancellation);

    /// <summary>Replaces the state.</summary>
    ValueTask SaveAsync(string groupKey, GroupState state, CancellationToken cancellation);

    /// <summary>Forgets the state of a group that is gone.</summary>
    ValueTask RemoveAsync(string groupKey, CancellationToken cancellation);
}

/// <summary>Evaluates a group at its ticks until it is stopped.</summary>
/// <remarks>
/// A tick is evaluated at its own timestamp even when it is late. When a tick takes longer than the interval, those that went by are counted as missed and the latest
/// is evaluated. An owner that continues a state evaluates the current tick at once if its predecessor did not, so a change of owner leaves no gap beyond
/// the ticks that nobody was there for; without a state it waits for the next tick.
/// </remarks>
internal sealed class GroupRunner(RuleGroup group, IRuleStateStore? states) : IAsyncDisposable
{
    // An evaluation that has begun is finished, so that its tick is evaluated once and whole; beyond this it is given up.
    private static readonly TimeSpan grace = TimeSpan.FromSeconds(20);

    private readonly CancellationTokenSource stopping = new();
    private readonly CancellationTokenSource aborting = new();
    private Task? running;

    /// <summary>The group.</summary>
    public RuleGroup Group => group;

    /// <summary>Begins.</summary>
    public void Start() => running = Task.Run(() => RunAsync(stopping.Token, aborting.Token));

    /// <summary>Stops, after an evaluation under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        if (running is not null)
        {
            try
            {
                await running.WaitAsync(grace, group.Services.Time);
            }
            catch (TimeoutException)
            {
                await aborting.CancelAsync();
                await running;
            }
        }

        stopping.Dispose();
        aborting.Dispose();
    }

    /// <summary>Runs until cancelled.</summary>
    internal async Task RunAsync(CancellationToken stop, CancellationToken abort)
    {
        try
        {
            var next = FirstTick();
            while (true)
            {
                await WaitAsync(next, stop);
                await group.EvaluateAsync(next, abort);
                await SaveAsync(abort);
                next = TickAfter(next);
            }
        }
        catch (OperationCanceledException e)
        {
            if (!stop.IsCancellationRequested && !abort.IsCancellationRequested)
            {
                group.Services.Observer?.OnUpkeepFailed(group.Key, "keeping the group: another owner has it, and it ends here", e);
            }
        }
    }

    private long NowMs => group.Services.Time.GetUtcNow().ToUnixTimeMilliseconds();

    private long FirstTick()
    {
        var current = group.Schedule.TickAtOrBefore(NowMs);
        return group.LastTickMs is { } last ? Math.Max(last + group.IntervalMs, CountMissed(last, current)) : current + group.IntervalMs;
    }

    private long TickAfter(long tickMs) => Math.Max(tickMs + group.IntervalMs, CountMissed(tickMs, group.Schedule.TickAtOrBefore(NowMs)));

    private long CountMissed(long lastMs, long currentMs)
    {
        var missed = ((currentMs - lastMs) / group.IntervalMs) - 1;
        if (missed > 0)
        {
            group.Counters.CountMissed(missed);
        }

        return currentMs;
    }

    private async Task WaitAsync(long tickMs, CancellationToken stop)
    {
        var waitMs = tickMs - NowMs;
        if (waitMs > 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(waitMs), group.Services.Time, stop);
        }
    }

    private async Task SaveAsync(CancellationToken stop)
    {
        if (states is null)
        {
            return;
        }

        try
        {
            await states.SaveAsync(group.Key, group.Capture(), stop);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // The next tick saves again; until then a new owner would start from the tick before.
            group.Services.Observer?.OnUpkeepFailed(group.Key, "saving the state", e);
        }
    }
}
