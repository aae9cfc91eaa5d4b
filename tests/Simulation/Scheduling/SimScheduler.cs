namespace Metrics.Simulation;

/// <summary>Runs everything of a simulation on one thread, in an order that the seed alone decides, on a clock that moves only when nothing is left to do.</summary>
internal sealed class SimScheduler(int seed)
{
    /// <summary>What one continuation may be late by: enough for any two that are due together to change places.</summary>
    private const int JitterTicks = 500;

    /// <summary>A run takes 8,000 steps, and none has taken 40,000.</summary>
    private const long MostSteps = 150_000;

    private readonly PriorityQueue<Step, (long At, long Order)> steps = new();
    private readonly int thread = Environment.CurrentManagedThreadId;
    private long order;

    /// <summary>Decides everything that is left to chance.</summary>
    public Random Random { get; } = new(seed);

    /// <summary>The time, in ticks of 100 ns since the beginning.</summary>
    public long Now { get; private set; }

    /// <summary>Steps taken.</summary>
    public long Steps { get; private set; }

    /// <summary>A hash of all that has happened, in order: equal for equal runs.</summary>
    public ulong Trace { get; private set; } = 14695981039346656037;

    /// <summary>Plans a step of a process; nothing happens if that process is dead by then.</summary>
    public void Plan(TimeSpan delay, SimProcess process, SendOrPostCallback action, object? state)
    {
        if (thread != Environment.CurrentManagedThreadId)
        {
            Environment.FailFast("something in the simulation runs on a thread of its own: no run could be replayed");
        }

        steps.Enqueue(new Step(process, action, state), (Now + Math.Max(0, delay.Ticks), order++));
    }

    /// <summary>Plans a step of a process.</summary>
    public void Plan(TimeSpan delay, SimProcess process, Action action) => Plan(delay, process, static action => ((Action)action!)(), action);

    /// <summary>Plans the continuation of something asynchronous, soon.</summary>
    public void Continue(SimProcess process, SendOrPostCallback action, object? state) => Plan(TimeSpan.FromTicks(Random.Next(JitterTicks)), process, action, state);

    /// <summary>Takes steps until a time; false when there were so many that nothing will come of it.</summary>
    public bool RunUntil(TimeSpan end)
    {
        var before = SynchronizationContext.Current;
        try
        {
            while (steps.TryPeek(out var step, out var due) && due.At <= end.Ticks && Steps < MostSteps)
            {
                steps.Dequeue();
                Now = Math.Max(Now, due.At);
                if (step.Process.IsFrozen)
                {
                    step.Process.Defer(() => Continue(step.Process, step.Action, step.State));
                }
                else if (!step.Process.IsDead)
                {
                    Steps++;
                    Note((ulong)step.Process.Number);
                    SynchronizationContext.SetSynchronizationContext(step.Process);
                    step.Action(step.State);
                }
            }
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }

        Now = Math.Max(Now, end.Ticks);
        return Steps < MostSteps;
    }

    /// <summary>Adds something to the trace.</summary>
    public void Note(ulong what) => Trace = unchecked((((Trace ^ what) * 1099511628211) ^ (ulong)Now) * 1099511628211);

    /// <summary>Adds a word to the trace.</summary>
    public void Note(string what)
    {
        foreach (var c in what)
        {
            Note(c);
        }
    }

    /// <summary>True with a probability.</summary>
    public bool Chance(double probability) => Random.NextDouble() < probability;

    /// <summary>A time between two, mostly near the shorter.</summary>
    public TimeSpan Between(TimeSpan least, TimeSpan most) => least + ((most - least) * Math.Pow(Random.NextDouble(), 3));

    private readonly record struct Step(SimProcess Process, SendOrPostCallback Action, object? State);
}

/// <summary>One life of a process: what is awaited in it goes on in it, or never, if it is dead by then.</summary>
internal sealed class SimProcess(SimScheduler scheduler, int number, string name) : SynchronizationContext
{
    private readonly List<Action> deferred = [];

    /// <summary>Its number.</summary>
    public int Number => number;

    /// <summary>Its name.</summary>
    public string Name => name;

    /// <summary>True from its crash on.</summary>
    public bool IsDead { get; private set; }

    /// <summary>True while it is stopped, and does not know.</summary>
    public bool IsFrozen { get; private set; }

    /// <summary>The clock as this process sees it.</summary>
    public SimTime Time => new(scheduler, this);

    /// <inheritdoc/>
    public override void Post(SendOrPostCallback d, object? state) => scheduler.Continue(this, d, state);

    /// <inheritdoc/>
    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("nobody waits for another thread here");

    /// <summary>Runs something asynchronous in this process.</summary>
    public void Start(Func<Task> work) => scheduler.Plan(TimeSpan.Zero, this, () => _ = work());

    /// <summary>Ends it, wherever it is.</summary>
    public void Kill()
    {
        IsDead = true;
        deferred.Clear();
    }

    /// <summary>Stops it.</summary>
    public void Freeze() => IsFrozen = true;

    /// <summary>Lets it go on, with all that came meanwhile.</summary>
    public void Thaw()
    {
        IsFrozen = false;
        foreach (var step in deferred)
        {
            step();
        }

        deferred.Clear();
    }

    /// <summary>Keeps a step for when it goes on.</summary>
    public void Defer(Action step) => deferred.Add(step);
}
