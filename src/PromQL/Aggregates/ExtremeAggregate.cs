using Metrics.Model;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Aggregates;

/// <summary><c>min</c> and <c>max</c>; NaN gives way to any number. State: the extreme.</summary>
internal sealed class ExtremeAggregate(AggregateNode node, EvaluationContext context) : Aggregate(node, context)
{
    private readonly bool isMax = node.Operator == AggregateOperator.Max;

    public override int NumberColumns => 1;

    public override void Update(StateColumns states, int group, StepRow row, Labels series)
    {
        var extremes = states.Numbers(0, group);
        var flags = states.Flags(group);
        var values = row.Values;
        var mixed = row.AnyHistogram;
        for (var step = 0; step < values.Length; step++)
        {
            if (!row.Has(step))
            {
                continue;
            }

            if (mixed && row.Histogram(step) is not null)
            {
                Ignored();
                continue;
            }

            Take(ref extremes[step], ref flags[step], values[step]);
        }
    }

    public override void Merge(StateColumns states, int group, StateColumns other, int otherGroup)
    {
        var extremes = states.Numbers(0, group);
        var flags = states.Flags(group);
        var theirs = other.Numbers(0, otherGroup);
        var theirFlags = other.Flags(otherGroup);
        for (var step = 0; step < extremes.Length; step++)
        {
            if (theirFlags[step] != 0)
            {
                Take(ref extremes[step], ref flags[step], theirs[step]);
            }
        }
    }

    public override void Finish(StateColumns states, int group, StepRow into)
    {
        var extremes = states.Numbers(0, group);
        var flags = states.Flags(group);
        for (var step = 0; step < extremes.Length; step++)
        {
            if (flags[step] != 0)
            {
                into.Set(step, extremes[step]);
            }
        }
    }

    private void Take(ref double extreme, ref byte flag, double value)
    {
        if (flag == 0 || double.IsNaN(extreme) || (isMax ? extreme < value : extreme > value))
        {
            extreme = value;
            flag = Seen;
        }
    }
}
