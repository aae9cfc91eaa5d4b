using System.Numerics;
using System.Runtime.InteropServices;

namespace Metrics.PromQL.Execution;

/// <summary>Changes the sign of every value.</summary>
internal sealed class NegateOperator : VectorOperator
{
    private readonly VectorOperator inner;
    private readonly IReadOnlyList<SeriesHeader> series;

    public NegateOperator(VectorOperator inner, EvaluationContext context)
    {
        this.inner = inner;
        series = HeaderMap.DropNames(inner.Series, context);
    }

    /// <inheritdoc/>
    public override int Steps => inner.Steps;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => series;

    /// <inheritdoc/>
    public override StepBatch? Next()
    {
        var batch = inner.Next();
        for (var row = 0; row < batch?.Series; row++)
        {
            var values = batch.ValuesOf(row);
            var wide = MemoryMarshal.Cast<double, Vector<double>>(values);
            for (var i = 0; i < wide.Length; i++)
            {
                wide[i] = -wide[i];
            }

            for (var i = wide.Length * Vector<double>.Count; i < values.Length; i++)
            {
                values[i] = -values[i];
            }

            foreach (ref var histogram in batch.HistogramsOf(row))
            {
                if (histogram is not null)
                {
                    histogram = HistogramArithmetic.Scale(histogram, -1, compact: false);
                }
            }
        }

        return batch;
    }

    /// <inheritdoc/>
    public override void Dispose() => inner.Dispose();
}
