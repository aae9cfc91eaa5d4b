namespace Metrics.Cluster;

/// <summary>Lets one asynchronous piece of work in at a time, in the order of arrival. Thread-safe.</summary>
/// <remarks>Who waits goes on where it was called from (SemaphoreSlim sometimes does not), so that a simulation stays on its one thread.</remarks>
internal sealed class Turns
{
    private readonly Lock gate = new();
    private readonly Queue<TaskCompletionSource> waiting = new();
    private bool taken;

    /// <summary>Waits for the turn; disposing of the answer gives it on.</summary>
    public async ValueTask<Turn> TakeAsync()
    {
        TaskCompletionSource? wait = null;
        lock (gate)
        {
            if (taken)
            {
                wait = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                waiting.Enqueue(wait);
            }

            taken = true;
        }

        if (wait is not null)
        {
            await wait.Task;
        }

        return new Turn(this);
    }

    private void Release()
    {
        TaskCompletionSource? next;
        lock (gate)
        {
            taken = waiting.TryDequeue(out next);
        }

        next?.SetResult();
    }

    /// <summary>The turn, until disposed of.</summary>
    internal readonly struct Turn(Turns of) : IDisposable
    {
        /// <summary>Gives the turn to the next.</summary>
        public void Dispose() => of.Release();
    }
}
