using Metrics.PromQL.Functions;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>Applies an element-wise function to each row, in place, and drops names.</summary>
internal sealed class ElementOperator(CallNode node, VectorOperator inner, IReadOnlyList<double[]> parameters, EvaluationContext context) : VectorOperator
{
    private readonly IReadOnlyList<SeriesHeader> series = HeaderMap.DropNames(inner.Series, context);

    /// <inheritdoc/>
    public override int Steps => inner.Steps;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => series;

    /// <inheritdoc/>
    public override StepBatch? Next()
    {
        var batch = inner.Next();
        for (var i = 0; i < batch?.Series; i++)
        {
            Apply(batch.Row(i));
        }

        return batch;
    }

    /// <inheritdoc/>
    public override void Dispose() => inner.Dispose();

    private void Apply(StepRow row)
    {
        switch (node.Name)
        {
            case "timestamp":
                // Of anything but a selector: the time of the step.
                for (var step = 0; step < row.Steps; step++)
                {
                    if (row.Has(step))
                    {
                        row.Set(step, node.Grid.At(step) / 1000.0);
                    }
                }

                break;
            case "start_timestamp":
                // Only samples have one, results have not.
                for (var step = 0; step < row.Steps; step++)
                {
                    row.Clear(step);
                }

                break;
            default:
                if (!ElementFunctions.TryApply(node.Name, parameters, row))
                {
                    throw new QueryException(QueryErrorKind.Internal, $"no implementation of function {node.Name}");
                }

                break;
        }
    }
}
