using Metrics.Model;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Aggregates;

/// <summary><c>count</c> and <c>group</c>: how many series have a result, or that one has. State: the count.</summary>
internal sealed class CountAggregate(AggregateNode node, EvaluationContext context) : Aggregate(node, context)
{
    public override int NumberColumns => 1;

    public override void Update(StateColumns states, int group, StepRow row, Labels series)
    {
        var counts = states.Numbers(0, group);
        var presence = row.Presence;
        for (var step = 0; step < counts.Length; step++)
        {
            counts[step] += (presence[step >> 6] >> (step & 63)) & 1;
        }
    }

    public override void Merge(StateColumns states, int group, StateColumns other, int otherGroup)
    {
        var counts = states.Numbers(0, group);
        var theirs = other.Numbers(0, otherGroup);
        for (var step = 0; step < counts.Length; step++)
        {
            counts[step] += theirs[step];
        }
    }

    public override void Finish(StateColumns states, int group, StepRow into)
    {
        var counts = states.Numbers(0, group);
        for (var step = 0; step < counts.Length; step++)
        {
            if (counts[step] > 0)
            {
                into.Set(step, Node.Operator == AggregateOperator.Group ? 1 : counts[step]);
            }
        }
    }
}
