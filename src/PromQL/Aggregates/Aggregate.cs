using Metrics.Model;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Aggregates;

/// <summary>An aggregation as update, merge and finish over <see cref="StateColumns"/>; what distribution needs.</summary>
/// <remarks>Stateless but for where remarks go; the states belong to the caller. A cell whose flags are 0 has seen nothing.</remarks>
internal abstract class Aggregate(AggregateNode node, EvaluationContext context)
{
    /// <summary>The flag of a cell that has a result.</summary>
    protected const byte Seen = 1;

    protected AggregateNode Node { get; } = node;

    protected EvaluationContext Context { get; } = context;

    /// <summary>How many numbers a state has.</summary>
    public abstract int NumberColumns { get; }

    /// <summary>Takes a series into its group.</summary>
    public abstract void Update(StateColumns states, int group, StepRow row, Labels series);

    /// <summary>Takes a group of another shard's states into one of ours.</summary>
    public abstract void Merge(StateColumns states, int group, StateColumns other, int otherGroup);

    /// <summary>Sets the results of a group.</summary>
    public abstract void Finish(StateColumns states, int group, StepRow into);

    /// <summary>The aggregation of an operator that computes from series; null for those that select series or need all values.</summary>
    public static Aggregate? For(AggregateNode node, EvaluationContext context) => node.Operator switch
    {
        AggregateOperator.Sum => new SumAggregate(node, context),
        AggregateOperator.Avg => new AvgAggregate(node, context),
        AggregateOperator.Count or AggregateOperator.Group => new CountAggregate(node, context),
        AggregateOperator.Min or AggregateOperator.Max => new ExtremeAggregate(node, context),
        AggregateOperator.Stddev or AggregateOperator.Stdvar => new VarianceAggregate(node, context),
        _ => null,
    };

    /// <summary>Remarks that a histogram was left out.</summary>
    protected void Ignored() => Context.Info($"ignored histogram in {Node.Operator.ToString().ToLowerInvariant()} aggregation", Node.Inner.Position);
}
