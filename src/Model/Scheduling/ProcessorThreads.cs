using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Metrics.Model;

/// <summary>Threads for long work, below the priority of all others: whatever takes samples in, or answers in a moment, gets a processor before it. As many as have something to do.</summary>
/// <remarks>
/// Priority is what the kernel has for this: a thread that wakes to read a request takes the processor from one of these at once, where among equals it would wait for the end of a time slice, at each of several
/// steps. While nothing else wants the processors it costs nothing. On Linux niceness belongs to a thread; raising it needs no privilege, lowering it again does, so there are threads of two kinds.
/// </remarks>
internal sealed partial class ProcessorThreads
{
    private static readonly int maxIdle = 2 * Environment.ProcessorCount;

    /// <summary>For how long a thread runs before it asks whether another wants its processor: long beside the microsecond that it takes to ask.</summary>
    private static readonly long yieldEvery = Stopwatch.Frequency / 5000;

    [ThreadStatic]
    private static long yieldedAt;

    // With Monitor, for it is waited on.
    private readonly object sync = new();
    private readonly Queue<ProcessorPiece> waiting = new();
    private readonly int niceness;
    private readonly string name;
    private int idle;

    private ProcessorThreads(int niceness, string name)
    {
        this.niceness = niceness;
        this.name = name;
    }

    /// <summary>With a third of the weight of an ordinary thread: enough that a tenant's queries go on beside its own writes, and a lock which is held here is not held for long.</summary>
    public static ProcessorThreads Low { get; } = new(niceness: 5, "long work");

    /// <summary>With a seventieth of it: for a tenant that has had more than any other, and others want to hear nothing of it.</summary>
    public static ProcessorThreads Lowest { get; } = new(niceness: 19, "longest work");

    /// <summary>Lets another thread that wants this processor have it. Called from time to time by work that holds no lock.</summary>
    /// <remarks>
    /// The kernel alone does not see to that: Linux (since 6.6, EEVDF) lets a thread that was given a processor keep it for its slice of about 3 ms, and looks at it again when a tick comes, every 4 ms with the usual 250 Hz. Of
    /// two that want it, it may also be given to the one of lower priority, when the other has just run: then it has had more than its part, be that by a microsecond. And a thread of the pool that wakes is often put behind
    /// the one that woke it, where it stays when another processor has nothing to do a moment later.
    /// </remarks>
    public static void Yield()
    {
        if (Stopwatch.GetTimestamp() - yieldedAt > yieldEvery)
        {
            Thread.Yield();
            yieldedAt = Stopwatch.GetTimestamp();
        }
    }

    /// <summary>Has a thread run work that has its turn.</summary>
    public void Start(ProcessorPiece piece)
    {
        lock (sync)
        {
            if (idle > waiting.Count)
            {
                waiting.Enqueue(piece);
                Monitor.Pulse(sync);
                return;
            }
        }

        new Thread(Run) { IsBackground = true, Name = name, Priority = ThreadPriority.BelowNormal }.UnsafeStart(piece);
    }

    private void Run(object? first)
    {
        if (OperatingSystem.IsLinux())
        {
            // Of this thread. It fails where a sandbox forbids it, and then all are equal.
            _ = SetPriority(0, 0, niceness);
        }

        var piece = (ProcessorPiece)first!;
        do
        {
            for (var next = piece; next is not null;)
            {
                next = next.Run(this);
            }
        }
        while (WaitForNext(out piece));
    }

    /// <summary>Waits for the next; false when enough others wait.</summary>
    private bool WaitForNext([NotNullWhen(true)] out ProcessorPiece? piece)
    {
        piece = null;
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
            piece = waiting.Dequeue();
            return true;
        }
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int priority);
}
