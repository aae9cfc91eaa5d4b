using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Metrics.Model;

/// <summary>Threads for long work, below the priority of all others: whatever takes samples in, or answers in a moment, gets a processor before it. As many as have something to do.</summary>
/// <remarks>
/// Priority is what the kernel has for this: a thread that wakes to read a request takes the processor from one of these at once, where among equals it would wait for the end of a time slice, at each of several
/// steps. While nothing else wants the processors it costs nothing. On Linux niceness belongs to a thread, and raising it needs no privilege.
/// </remarks>
internal sealed partial class ProcessorThreads : TaskScheduler
{
    /// <summary>A third of the weight of an ordinary thread: enough that a lock which is held here is not held for long.</summary>
    private const int Niceness = 5;

    private static readonly int maxIdle = 2 * Environment.ProcessorCount;

    // With Monitor, for it is waited on.
    private readonly object sync = new();
    private readonly Queue<Task> waiting = new();
    private int idle;

    private ProcessorThreads()
    {
    }

    /// <summary>Those of this process.</summary>
    public static ProcessorThreads OfProcess { get; } = new();

    /// <inheritdoc/>
    protected override void QueueTask(Task task)
    {
        lock (sync)
        {
            if (idle > waiting.Count)
            {
                waiting.Enqueue(task);
                Monitor.Pulse(sync);
                return;
            }
        }

        new Thread(Run) { IsBackground = true, Name = "long work", Priority = ThreadPriority.BelowNormal }.Start(task);
    }

    /// <inheritdoc/>
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    /// <inheritdoc/>
    protected override IEnumerable<Task> GetScheduledTasks()
    {
        lock (sync)
        {
            return [.. waiting];
        }
    }

    private void Run(object? first)
    {
        if (OperatingSystem.IsLinux())
        {
            // Of this thread. It fails where a sandbox forbids it, and then all are equal.
            _ = SetPriority(0, 0, Niceness);
        }

        var task = (Task?)first!;
        do
        {
            TryExecuteTask(task);
        }
        while (WaitForNext(out task));
    }

    /// <summary>Waits for the next; false when enough others wait.</summary>
    private bool WaitForNext([NotNullWhen(true)] out Task? task)
    {
        task = null;
        lock (sync)
        {
            if (idle == maxIdle)
            {
                return false;
            }

            idle++;
            while (waiting.Count == 0)
            {
                Monitor.Wait(sync);
            }

            idle--;
            task = waiting.Dequeue();
            return true;
        }
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int priority);
}
