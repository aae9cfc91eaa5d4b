using System.Diagnostics.CodeAnalysis;

namespace Metrics.Storage;

/// <summary>Neighbouring pages that one request fetches, and those who wait for them. Guarded by the file's gate, but for <see cref="Done"/>.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The source has no timer, and what is registered with it ends with the request; disposing it would race with giving the request up.")]
internal sealed class PageRun(long first)
{
    private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource abandoned = new();
    private int waiters;

    /// <summary>The first page.</summary>
    public long First => first;

    /// <summary>How many pages.</summary>
    public int Count { get; set; } = 1;

    /// <summary>Behind the last page.</summary>
    public long End => first + Count;

    /// <summary>Ends when the pages are there, or can't be had.</summary>
    public Task Done => done.Task;

    /// <summary>Ends the request when nobody waits for it any more.</summary>
    public CancellationToken Abandoned => abandoned.Token;

    /// <summary>One more waits.</summary>
    public void Join() => waiters++;

    /// <summary>One waits no longer; true when that was the last and the pages are not there.</summary>
    public bool Leave() => --waiters == 0 && !done.Task.IsCompleted;

    /// <summary>Gives the request up.</summary>
    public void Abandon() => abandoned.Cancel();

    /// <summary>Tells those who wait.</summary>
    public void Finish(Exception? failure)
    {
        if (failure is null)
        {
            done.SetResult();
            return;
        }

        done.SetException(failure);

        // Nobody may be waiting any more; the failure is known all the same.
        _ = done.Task.Exception;
    }
}
