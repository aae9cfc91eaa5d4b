namespace Metrics.Cluster;

/// <summary>Wakes the one loop that waits for it; raised while nobody waits, the next wait ends at once. Thread-safe.</summary>
/// <param name="onRaiser">True when the loop goes on in the call of <see cref="Raise"/>, which a change of threads would cost more than what the loop does; it must not do much there, and whoever raises must hold no lock.</param>
internal sealed class Signal(bool onRaiser = false)
{
    private readonly Lock gate = new();
    private TaskCompletionSource? waiting;
    private bool raised;

    /// <summary>Wakes the loop.</summary>
    public void Raise()
    {
        TaskCompletionSource? wake;
        lock (gate)
        {
            (wake, waiting) = (waiting, null);
            raised = wake is null;
        }

        wake?.TrySetResult();
    }

    /// <summary>Waits until it is raised.</summary>
    public Task WaitAsync()
    {
        lock (gate)
        {
            if (raised)
            {
                raised = false;
                return Task.CompletedTask;
            }

            waiting ??= new TaskCompletionSource(onRaiser ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously);
            return waiting.Task;
        }
    }

    /// <summary>Waits until it is raised, or for so long.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider time)
    {
        await using var alarm = time.CreateTimer(static signal => ((Signal)signal!).Raise(), this, atMost, Timeout.InfiniteTimeSpan);
        await WaitAsync();
    }
}
