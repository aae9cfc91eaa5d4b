namespace Metrics.PromQL.Execution;

/// <summary>Passes values on under other labels.</summary>
internal sealed class RelabelledOperator(VectorOperator inner, IReadOnlyList<SeriesHeader> series) : VectorOperator
{
    /// <inheritdoc/>
    public override int Steps => inner.Steps;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series { get; } = series;

    /// <inheritdoc/>
    public override StepBatch? Next() => inner.Next();

    /// <inheritdoc/>
    public override void Dispose() => inner.Dispose();
}
