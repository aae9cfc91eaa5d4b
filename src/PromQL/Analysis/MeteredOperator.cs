using System.Diagnostics;
using Metrics.PromQL.Execution;

namespace Metrics.PromQL.Analysis;

/// <summary>An operator whose time is taken.</summary>
internal sealed class MeteredOperator(VectorOperator inner, OperatorMeter meter) : VectorOperator
{
    /// <inheritdoc/>
    public override int Steps => inner.Steps;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => inner.Series;

    /// <inheritdoc/>
    public override StepBatch? Next()
    {
        var from = Stopwatch.GetTimestamp();
        var batch = inner.Next();
        meter.AddTime(Stopwatch.GetElapsedTime(from));
        return batch;
    }

    /// <inheritdoc/>
    public override void Dispose() => inner.Dispose();
}
