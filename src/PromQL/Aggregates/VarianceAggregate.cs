using Metrics.Model;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Aggregates;

/// <summary><c>stddev</c> and <c>stdvar</c>. State: count, mean and sum of squared deviations.</summary>
/// <remarks>
/// Updated by Welford's method, as Prometheus does; merged by Chan, Golub, LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
/// Variances" (1979).
/// </remarks>
internal sealed class VarianceAggregate(AggregateNode node, EvaluationContext context) : Aggregate(node, context)
{
    public override int NumberColumns => 3;

    public override void Update(StateColumns states, int group, StepRow row, Labels series)
    {
        var counts = states.Numbers(0, group);
        var means = states.Numbers(1, group);
        var squares = states.Numbers(2, group);
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

            var value = values[step];
            if (counts[step]++ == 0)
            {
                means[step] = value;
                squares[step] = double.IsFinite(value) ? 0 : double.NaN;
                continue;
            }

            var delta = value - means[step];
            means[step] += delta / counts[step];
            squares[step] += delta * (value - means[step]);
        }
    }

    public override void Merge(StateColumns states, int group, StateColumns other, int otherGroup)
    {
        var counts = states.Numbers(0, group);
        var means = states.Numbers(1, group);
        var squares = states.Numbers(2, group);
        var theirCounts = other.Numbers(0, otherGroup);
        var theirMeans = other.Numbers(1, otherGroup);
        var theirSquares = other.Numbers(2, otherGroup);
        for (var step = 0; step < counts.Length; step++)
        {
            if (theirCounts[step] == 0)
            {
                continue;
            }

            if (counts[step] == 0)
            {
                counts[step] = theirCounts[step];
                means[step] = theirMeans[step];
                squares[step] = theirSquares[step];
                continue;
            }

            var total = counts[step] + theirCounts[step];
            var delta = theirMeans[step] - means[step];
            squares[step] += theirSquares[step] + (delta * delta * counts[step] * theirCounts[step] / total);
            means[step] += delta * theirCounts[step] / total;
            counts[step] = total;
        }
    }

    public override void Finish(StateColumns states, int group, StepRow into)
    {
        var counts = states.Numbers(0, group);
        var squares = states.Numbers(2, group);
        for (var step = 0; step < counts.Length; step++)
        {
            if (counts[step] > 0)
            {
                var variance = squares[step] / counts[step];
                into.Set(step, Node.Operator == AggregateOperator.Stddev ? Math.Sqrt(variance) : variance);
            }
        }
    }
}
