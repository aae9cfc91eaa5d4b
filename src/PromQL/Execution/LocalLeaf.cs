using System.Diagnostics;
using Metrics.Model;
using Metrics.PromQL.Analysis;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL;

/// <summary>A leaf in this process: evaluates fragments over a series source.</summary>
/// <remarks>One selection per fragment; its series are cut into runs that the machine's cores evaluate side by side, as far as they are not wanted elsewhere (<see cref="ProcessorShares"/>).</remarks>
/// <param name="source">The series.</param>
/// <param name="options">How the engine behaves.</param>
/// <param name="tenant">Whose series they are, and whose share of the processors it takes.</param>
public sealed class LocalLeaf(ISeriesSource source, EngineOptions options, TenantId tenant = default) : IQueryLeaf
{
    // Below this many series to a run, starting another costs more than it saves.
    private const int SeriesPerRunMin = 512;

    /// <summary>What a series takes, about, labels and order included.</summary>
    private static readonly TimeSpan TimePerSeries = TimeSpan.FromMicroseconds(10);

    private readonly FragmentPlans plans = new();

    /// <inheritdoc/>
    public async ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation)
    {
        var effective = options with
        {
            DelayedNameRemoval = fragment.DelayedNameRemoval,
            DefaultSubqueryStepMs = fragment.DefaultSubqueryStepMs,
            TypeAndUnitLabels = fragment.TypeAndUnitLabels,
            UseStartTimestamps = fragment.UseStartTimestamps,
        };
        var plan = fragment.Plan ?? plans.Of(fragment, effective);
        var (select, reach) = SelectorOf(plan);
        var hints = select.Hints with { MaxResolutionMs = fragment.MaxResolutionMs, LookbackMs = select.LookbackMs };
        var matchers = select.Matchers;
        if (fragment.Added is { } added)
        {
            if (added.Below(matchers) is not { } own)
            {
                return new FragmentResult();
            }

            // A projection may name labels that the source has under another name.
            (matchers, hints) = (own, hints with { Projection = null });
        }

        reach = new TimeRange(Math.Max(reach.MinMs, fragment.MinTimeMs), reach.MaxMs);
        if (reach.IsEmpty)
        {
            return new FragmentResult();
        }

        var began = Stopwatch.GetTimestamp();
        var selection = new SeriesSelection(matchers, reach, hints);
        using var set = await (await ProcessorShares.OfProcess.RunHereAsync(tenant, ProcessorUse.Query, () => source.SelectAsync(selection, cancellation), cancellation).ConfigureAwait(false)).ConfigureAwait(false);
        var annotations = new AnnotationSet();
        foreach (var warning in set.Warnings)
        {
            annotations.Warn(warning, select.Position);
        }

        fragment.Bounds.CheckSeries(set.Count);
        using var memory = new LeafMemory(fragment, options.Memory);
        var needed = fragment.Added is null ? NeededLabels.Of(plan, effective) : null;
        memory.Lease.Take((long)set.Count * (needed is null ? MemoryLease.SeriesBytes : MemoryLease.SelectedBytes));
        var budget = new QueryBudget(Math.Min(fragment.MaxSamples, options.MaxSamples), fragment.Bounds, memory.Lease);
        var counter = new SampleCounter(plan.Grid, fragment.PerStepStatistics);
        var meters = fragment.Analyze ? new PlanMeters(plan) : null;
        var context = new EvaluationContext(effective, budget, counter, annotations, cancellation, meters);
        var prepared = TimeSpan.Zero;
        var result = set.Count == 0 ? new FragmentResult()
            : IsSmall(set.Count, plan.Grid.Count) ? await ProcessorShares.OfProcess.RunHereAsync(tenant, ProcessorUse.Query, EvaluateAll, cancellation).ConfigureAwait(false)
            : await ProcessorShares.OfProcess.RunAsync(tenant, ProcessorUse.Query, EvaluateAll, cancellation, expected: TimePerSeries * set.Count).ConfigureAwait(false);
        var statistics = new QueryStatistics { PeakSamples = budget.Peak, FetchedSeries = set.Count, FetchedBytes = budget.FetchedBytes, FetchedChunks = budget.FetchedChunks, Preparation = prepared };
        counter.CopyTo(statistics);
        return new FragmentResult
        {
            Series = result.Series,
            Batches = result.Batches,
            States = result.States,
            Matrix = result.Matrix,
            Annotations = annotations.ToList(),
            Statistics = statistics,
            Meters = meters?.ToNumbers(plan),
            Memory = memory.HandOver(),
            IsCounted = true,
        };

        FragmentResult EvaluateAll()
        {
            using var selected = needed is not null
                ? SelectedSeries.Grouped(set, needed, budget, select.Hints.StatisticsOnly)
                : SelectedSeries.Sorted(set, budget, select.Hints.StatisticsOnly, fragment.Added);
            if (selected.Headers is SharedHeaders shared)
            {
                memory.Lease.Take((long)shared.Distinct.Count * MemoryLease.SeriesBytes);
            }

            prepared = Stopwatch.GetElapsedTime(began);
            meters?.AddAlong(plan, select, prepared);
            var evaluated = Evaluate(plan, selected, context);
            if (plan is AggregateNode or MatrixNode)
            {
                // The others are counted as the operators that they are.
                meters?.Of(plan).AddSeries(evaluated.Series.Count);
            }

            return evaluated;
        }
    }

    /// <summary>True for what another thread would take longer to begin than this one to finish.</summary>
    private static bool IsSmall(int series, int steps) => series <= 128 && (long)series * steps <= 8192;

    private static (SelectNode Select, TimeRange Reach) SelectorOf(PlanNode node)
    {
        switch (node)
        {
            case SelectNode select:
                return (select, select.Reach);
            case MatrixNode matrix:
                return (matrix.Selector, matrix.Reach);
        }

        foreach (var child in node.Children)
        {
            if (Contains(child))
            {
                return SelectorOf(child);
            }
        }

        throw new QueryException(QueryErrorKind.Internal, $"a fragment without selector: {PlanText.Of(node)}");
    }

    private static bool Contains(PlanNode node) => node is SelectNode or MatrixNode || node.Children.Any(Contains);

    private static FragmentResult Evaluate(PlanNode plan, SelectedSeries selected, EvaluationContext context)
    {
        if (plan is MatrixNode matrix)
        {
            return Samples(matrix, selected, context);
        }

        if (plan is AggregateNode picking && ShardCut.SelectsSeries(picking.Operator))
        {
            using var measured = context.Meters?.Measure(plan);
            var operators = new LeafOperators(selected, context);
            var parameter = operators.Scalar(picking.Parameter!);
            return Rows(SelectionAggregate.Apply(picking, operators.Build(picking.Inner), parameter, isPartial: true, context), context);
        }

        var runs = selected.Split(Math.Clamp(selected.Count / SeriesPerRunMin, 1, Environment.ProcessorCount));
        return plan is AggregateNode aggregate ? States(aggregate, runs, context) : Rows(plan, runs, context);
    }

    private static FragmentResult States(AggregateNode node, SelectedSeries[] runs, EvaluationContext context)
    {
        var parts = new PartialAggregation[runs.Length];
        ProcessorShares.ForEach(runs.Length, i =>
        {
            using (context.Meters?.Measure(node))
            {
                parts[i] = AggregateRun.Update(node, new LeafOperators(runs[i], context).Build(node.Inner), context);
            }
        });
        var whole = AggregateRun.Merge(node, parts, context);
        return new FragmentResult { Series = whole.Groups, States = whole.States };
    }

    private static FragmentResult Rows(PlanNode plan, SelectedSeries[] runs, EvaluationContext context)
    {
        var parts = new Materialised[runs.Length];
        ProcessorShares.ForEach(runs.Length, i => parts[i] = Materialised.From(new LeafOperators(runs[i], context).Build(plan), context));
        return new FragmentResult { Series = SharedHeaders.Concat([.. parts.Select(static p => p.Series)]), Batches = [.. parts.SelectMany(static p => p.Detach())] };
    }

    private static FragmentResult Rows(VectorOperator source, EvaluationContext context)
    {
        var whole = Materialised.From(source, context);
        return new FragmentResult { Series = whole.Series, Batches = whole.Detach() };
    }

    private static FragmentResult Samples(MatrixNode node, SelectedSeries selected, EvaluationContext context)
    {
        using var measured = context.Meters?.Measure(node);
        var reach = node.Reach;
        var buffers = new SampleBuffer[selected.Count];
        var tally = context.Counter.NewTally(node.Grid.Count);
        for (var i = 0; i < buffers.Length; i++)
        {
            context.Checkpoint();
            buffers[i] = new SampleBuffer();
            selected.Read(i, buffers[i]);
            buffers[i].RemoveStale();
            while (buffers[i].Count > 0 && buffers[i].Times[^1] > reach.MaxMs)
            {
                buffers[i].Truncate(buffers[i].Count - 1);
            }

            context.Budget.Take(buffers[i].Count);
            tally.Add(0, buffers[i].Count, buffers[i].Count);
        }

        context.Counter.For(context.Meters?.Of(node)).Add(tally, node.Grid);

        return new FragmentResult { Series = selected.Headers, Matrix = buffers };
    }

    /// <summary>Where a fragment's memory is counted: with its query, or, for a query of another process, by itself until the answer is gone.</summary>
    private sealed class LeafMemory : IDisposable
    {
        private MemoryLease? own;

        public LeafMemory(Fragment fragment, QueryMemory memory)
        {
            own = fragment.Memory is null ? memory.Open(fragment.Bounds) : null;
            Lease = fragment.Memory ?? own!;
        }

        public MemoryLease Lease { get; }

        /// <summary>Leaves the fragment's own lease, if it has one, to the answer.</summary>
        public MemoryLease? HandOver()
        {
            var left = own;
            own = null;
            return left;
        }

        public void Dispose() => own?.Dispose();
    }
}
