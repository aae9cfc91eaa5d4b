namespace Metrics.Model;

/// <summary>Work that begins when its turn comes, on a thread of its own or of the pool.</summary>
/// <param name="turn">Its turn, for which it waits.</param>
/// <param name="isShort">True for what the pool's threads may run.</param>
internal abstract class ProcessorPiece(ProcessorTurn turn, bool isShort) : IThreadPoolWorkItem
{
    private readonly ExecutionContext? context = ExecutionContext.Capture();

    /// <summary>Its turn.</summary>
    public ProcessorTurn Turn => turn;

    /// <summary>True for what the pool's threads may run.</summary>
    public bool IsShort => isShort;

    /// <summary>Does the work, and gives the turn back before anybody hears of it; what then got a turn is handed out last.</summary>
    /// <param name="threads">Whose thread this is; null for the pool's.</param>
    /// <returns>What this thread goes on with, of the same kind, or null.</returns>
    public ProcessorPiece? Run(ProcessorThreads? threads)
    {
        if (context is null)
        {
            Work();
        }
        else
        {
            ExecutionContext.Run(context, static piece => ((ProcessorPiece)piece!).Work(), this);
        }

        var granted = turn.Release();
        Complete();
        return ProcessorShares.HandOut(granted, threads);
    }

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute() => Run(threads: null);

    /// <summary>Its turn never came.</summary>
    public abstract void Cancel(CancellationToken cancellation);

    /// <summary>Does the work and keeps what comes of it.</summary>
    protected abstract void Work();

    /// <summary>Tells what came of it.</summary>
    protected abstract void Complete();
}

/// <summary>Work that gives something.</summary>
internal sealed class ProcessorPiece<T>(ProcessorTurn turn, Func<T> work, bool isShort) : ProcessorPiece(turn, isShort)
{
    // Whoever waits goes on elsewhere: this thread has other things to do, and may be below all others.
    private readonly TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T result = default!;
    private Exception? failure;

    /// <summary>What comes of it.</summary>
    public Task<T> Done => done.Task;

    /// <inheritdoc/>
    public override void Cancel(CancellationToken cancellation) => done.SetCanceled(cancellation);

    /// <inheritdoc/>
    protected override void Work()
    {
        try
        {
            result = Turn.RunWithin(work);
        }
        catch (Exception e)
        {
            failure = e; // For whoever waits.
        }
    }

    /// <inheritdoc/>
    protected override void Complete()
    {
        if (failure is null)
        {
            done.SetResult(result);
        }
        else
        {
            done.SetException(failure);
        }
    }
}
