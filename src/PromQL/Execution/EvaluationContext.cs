using Metrics.Model;
using Metrics.PromQL.Analysis;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Execution;

/// <summary>What all operators of one evaluation share.</summary>
internal sealed class EvaluationContext(EngineOptions options, QueryBudget budget, SampleCounter counter, AnnotationSet annotations, CancellationToken cancellation, PlanMeters? meters = null)
{
    public EngineOptions Options { get; } = options;

    public QueryBudget Budget { get; } = budget;

    /// <summary>Counts the samples looked at.</summary>
    public SampleCounter Counter { get; } = counter;

    public AnnotationSet Annotations { get; } = annotations;

    /// <summary>Measures operators; null when nobody asks.</summary>
    public PlanMeters? Meters { get; } = meters;

    /// <summary>The same evaluation, counting elsewhere.</summary>
    public EvaluationContext With(SampleCounter other) => new(Options, Budget, other, Annotations, cancellation, Meters);

    /// <summary>Passed between series or batches: ends a query that was cancelled, and lets other tenants' work before it.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Checkpoint()
    {
        cancellation.ThrowIfCancellationRequested();
        ProcessorTurn.Checkpoint();
    }

    /// <summary>The labels an operation leaves that changes the meaning of a series: at once, or marked to be dropped at the end.</summary>
    public SeriesHeader DropName(SeriesHeader header, LabelSets labels) =>
        Options.DelayedNameRemoval ? header with { DropName = true } : new SeriesHeader(labels.WithoutMetadata(header.Labels), true);

    public void Warn(string message, PositionRange position) => Annotations.Warn(message, position);

    public void Info(string message, PositionRange position) => Annotations.Info(message, position);
}
