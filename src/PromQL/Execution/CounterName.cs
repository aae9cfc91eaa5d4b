using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Execution;

/// <summary>Remarks that a rate was taken of what does not look like a counter.</summary>
internal static class CounterName
{
    /// <summary>Adds the remark when a series with float results is not named, or typed, as a counter.</summary>
    public static void Check(Labels labels, StepRow row, PositionRange position, EvaluationContext context)
    {
        var name = labels.Get("__name__"u8);
        if (name.IsEmpty || !HasFloats(row))
        {
            return;
        }

        if (context.Options.TypeAndUnitLabels)
        {
            var type = labels["__type__"];
            if (type is not ("counter" or "histogram"))
            {
                context.Info(
                    $"metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got {LabelsText.Quote(type)}: {LabelsText.Quote(labels[Labels.MetricName])}",
                    position);
            }
        }
        else if (!name.EndsWith("_total"u8) && !name.EndsWith("_sum"u8) && !name.EndsWith("_count"u8) && !name.EndsWith("_bucket"u8))
        {
            context.Info(
                $"metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {LabelsText.Quote(labels[Labels.MetricName])}", position);
        }
    }

    private static bool HasFloats(StepRow row)
    {
        for (var step = 0; step < row.Steps; step++)
        {
            if (row.Has(step) && row.Histogram(step) is null)
            {
                return true;
            }
        }

        return false;
    }
}
