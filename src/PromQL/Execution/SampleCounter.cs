using Metrics.PromQL.Analysis;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>Samples that an operator counts for a while: those it looked at and, of them, those it read. Not thread-safe; its owner hands it on with <see cref="SampleCounter.Add"/>.</summary>
/// <param name="steps">Steps of the operator's grid.</param>
/// <param name="bySteps">Whether each step is counted for itself too.</param>
internal sealed class SampleTally(int steps, bool bySteps)
{
    /// <summary>Samples looked at, over all steps.</summary>
    public long Looked { get; private set; }

    /// <summary>Samples read: those that no step before has looked at.</summary>
    public long Read { get; private set; }

    /// <summary>Looked at, by steps; null unless asked for.</summary>
    public long[]? LookedAt { get; } = bySteps ? new long[steps] : null;

    /// <summary>Read, by steps; null unless asked for.</summary>
    public long[]? ReadAt { get; } = bySteps ? new long[steps] : null;

    /// <summary>True when steps are counted.</summary>
    public bool IsBySteps => LookedAt is not null;

    /// <summary>Counts samples of all steps together, where steps do not matter.</summary>
    public void Add(long looked, long read)
    {
        Looked += looked;
        Read += read;
    }

    /// <summary>Counts samples of a step.</summary>
    public void Add(int step, long looked, long read)
    {
        Add(looked, read);
        if (LookedAt is not null)
        {
            LookedAt[step] += looked;
            ReadAt![step] += read;
        }
    }

    /// <summary>Starts again.</summary>
    public void Clear()
    {
        (Looked, Read) = (0, 0);
        LookedAt.AsSpan().Clear();
        ReadAt.AsSpan().Clear();
    }

    /// <summary>What a leaf says that it counted.</summary>
    public static SampleTally Of(QueryStatistics statistics)
    {
        var steps = Math.Min(statistics.TotalQueryableSamplesPerStep?.Count ?? 0, statistics.SamplesReadPerStep?.Count ?? 0);
        var tally = new SampleTally(steps, bySteps: steps > 0);
        for (var step = 0; step < steps; step++)
        {
            tally.LookedAt![step] = statistics.TotalQueryableSamplesPerStep![step];
            tally.ReadAt![step] = statistics.SamplesReadPerStep![step];
        }

        tally.Add(statistics.TotalQueryableSamples, statistics.SamplesRead);
        return tally;
    }
}

/// <summary>Counts the samples of an evaluation as Prometheus does: what each step looks at, and what is read for it. Thread-safe.</summary>
/// <remarks>
/// A window's samples are looked at by each step that it covers, and read by the first. What a subquery looks at does not count, for its results are what windows look at; what it reads counts for the step that uses
/// it first, and not where it falls between windows. What does not depend on the step counts at each and is read once. Facts: prometheus/prometheus util/stats/query_stats.go and promql/engine.go.
/// </remarks>
internal sealed class SampleCounter
{
    private readonly Lock sync;
    private readonly SampleTally total;
    private readonly TimeGrid grid;
    private readonly SampleCounter? parent;
    private readonly SubqueryNode? subquery;
    private readonly TimeGrid outer;
    private readonly OperatorMeter? meter;

    /// <summary>Counts for a whole evaluation.</summary>
    /// <param name="grid">Its steps.</param>
    /// <param name="bySteps">Whether each step is wanted.</param>
    public SampleCounter(TimeGrid grid, bool bySteps)
    {
        this.grid = grid;
        sync = new Lock();
        IsBySteps = bySteps;
        total = new SampleTally(grid.Count, bySteps);
    }

    private SampleCounter(SampleCounter parent, SubqueryNode? subquery, TimeGrid outer)
    {
        this.parent = parent;
        this.subquery = subquery;
        this.outer = outer;
        (sync, total) = (parent.sync, parent.total);

        // Which steps of a subquery count depends on where they lie.
        IsBySteps = parent.IsBySteps || (subquery is not null && outer.Count > 1);
    }

    private SampleCounter(SampleCounter of, OperatorMeter meter)
    {
        (parent, subquery, outer, total, grid, IsBySteps) = (of.parent, of.subquery, of.outer, of.total, of.grid, of.IsBySteps);
        (sync, this.meter) = (of.sync, meter);
    }

    /// <summary>Whether tallies are to have steps.</summary>
    public bool IsBySteps { get; }

    /// <summary>A tally for an operator over steps.</summary>
    public SampleTally NewTally(int steps) => new(steps, IsBySteps);

    /// <summary>The counter for what a subquery evaluates within windows at these steps.</summary>
    public SampleCounter Below(SubqueryNode within, TimeGrid windows) => new(this, within, windows);

    /// <summary>The counter for what is evaluated once for these steps.</summary>
    public SampleCounter Once(TimeGrid steps) => new(this, null, steps);

    /// <summary>The same counter, telling a meter what it counts; without a meter, this one. What is closest to the samples is told.</summary>
    public SampleCounter For(OperatorMeter? reader) => reader is null ? this : new SampleCounter(this, reader);

    /// <summary>Takes what was counted over a grid; the tally stays the caller's.</summary>
    public void Add(SampleTally tally, TimeGrid over) => Count(tally, over, null);

    private void Count(SampleTally tally, TimeGrid over, OperatorMeter? reader)
    {
        reader ??= meter;
        if (parent is null)
        {
            reader?.AddSamples(tally.Looked);
            lock (sync)
            {
                AddHere(tally);
            }
        }
        else if (subquery is null)
        {
            parent.Count(Repeated(tally), outer, reader);
        }
        else
        {
            parent.Count(Used(tally, over, subquery), outer, reader);
        }
    }

    /// <summary>Puts what was counted into statistics.</summary>
    public void CopyTo(QueryStatistics statistics)
    {
        lock (sync)
        {
            statistics.TotalQueryableSamples = total.Looked;
            statistics.SamplesRead = total.Read;
            statistics.TotalQueryableSamplesPerStep = total.LookedAt;
            statistics.SamplesReadPerStep = total.ReadAt;
        }
    }

    private void AddHere(SampleTally tally)
    {
        if (!total.IsBySteps)
        {
            total.Add(tally.Looked, tally.Read);
        }
        else if (tally.LookedAt?.Length == grid.Count)
        {
            for (var step = 0; step < grid.Count; step++)
            {
                total.Add(step, tally.LookedAt[step], tally.ReadAt![step]);
            }
        }
        else
        {
            // Of another grid: a subquery that stands alone is the answer to the only step.
            total.Add(0, tally.Looked, tally.Read);
        }
    }

    private SampleTally Repeated(SampleTally once)
    {
        var all = new SampleTally(outer.Count, IsBySteps);
        for (var step = 0; step < outer.Count; step++)
        {
            all.Add(step, once.Looked, step == 0 ? once.Read : 0);
        }

        return all;
    }

    private SampleTally Used(SampleTally tally, TimeGrid over, SubqueryNode by)
    {
        var used = new SampleTally(outer.Count, IsBySteps);
        if (outer.Count == 1 || by.AtMs is not null || tally.ReadAt?.Length != over.Count)
        {
            used.Add(0, 0, tally.Read);
            return used;
        }

        for (var step = 0; step < over.Count; step++)
        {
            if (tally.ReadAt[step] == 0)
            {
                continue;
            }

            var time = over.At(step) + by.OffsetMs;
            var first = time <= outer.StartMs ? 0 : Math.Min(outer.Count - 1, (time - outer.StartMs + outer.StepMs - 1) / outer.StepMs);
            if (time > outer.At((int)first) - by.RangeMs)
            {
                used.Add((int)first, 0, tally.ReadAt[step]);
            }
        }

        return used;
    }
}
