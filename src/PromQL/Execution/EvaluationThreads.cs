using System.Collections.Concurrent;

namespace Metrics.PromQL;

/// <summary>Threads that evaluate queries and do nothing else: whatever queries cost, the thread pool is free to take samples in.</summary>
/// <remarks>There are a few for each core, so that the kernel shares out time between small queries and heavy ones, where a queue for each core would make the small ones wait.</remarks>
public sealed class EvaluationThreads : TaskScheduler, IDisposable
{
    private const int ThreadsPerCore = 4;

    [ThreadStatic]
    private static EvaluationThreads? current;

    private readonly BlockingCollection<Task> tasks = [];

    /// <summary>Starts the threads.</summary>
    public EvaluationThreads()
    {
        for (var i = 0; i < MaximumConcurrencyLevel; i++)
        {
            new Thread(Run) { IsBackground = true, Name = $"evaluation {i}" }.Start();
        }
    }

    /// <inheritdoc/>
    public override int MaximumConcurrencyLevel => ThreadsPerCore * Environment.ProcessorCount;

    /// <summary>Lets the threads end when they have nothing left to do. Nothing may be started afterwards.</summary>
    public void Dispose() => tasks.CompleteAdding();

    /// <inheritdoc/>
    protected override void QueueTask(Task task) => tasks.Add(task);

    /// <inheritdoc/>
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => current == this && TryExecuteTask(task);

    /// <inheritdoc/>
    protected override IEnumerable<Task> GetScheduledTasks() => tasks.ToArray();

    private void Run()
    {
        current = this;
        foreach (var task in tasks.GetConsumingEnumerable())
        {
            TryExecuteTask(task); // False: it was run by whoever waited for it.
        }
    }
}
