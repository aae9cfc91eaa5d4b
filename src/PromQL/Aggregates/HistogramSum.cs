using Metrics.Model;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Aggregates;

/// <summary>The histogram half of <c>sum</c> and <c>avg</c>: a compensated sum per cell, and the remarks about what does not add up.</summary>
internal sealed class HistogramSum(AggregateNode node, EvaluationContext context)
{
    /// <summary>Adds a histogram to a cell.</summary>
    public void Add(StateColumns states, int group, int step, FloatHistogram histogram, Labels series)
    {
        ref var flags = ref states.Flags(group)[step];
        if ((flags & StateFlags.Incompatible) != 0)
        {
            return;
        }

        flags |= histogram.CounterResetHint switch
        {
            CounterResetHint.Reset => StateFlags.Reset,
            CounterResetHint.NotReset => StateFlags.NotReset,
            _ => 0,
        };
        flags |= StateFlags.Histogram;
        ref var sum = ref states.Histograms(group)[step];
        if (sum is null)
        {
            sum = histogram;
            return;
        }

        Accumulate(ref sum, ref states.Compensations(group)[step], histogram, ref flags, series);
    }

    /// <summary>Adds another shard's cell to ours.</summary>
    public void Merge(StateColumns states, int group, StateColumns other, int otherGroup, int step)
    {
        ref var flags = ref states.Flags(group)[step];
        var theirFlags = other.Flags(otherGroup)[step];
        flags |= (byte)(theirFlags & (StateFlags.Histogram | StateFlags.Incompatible | StateFlags.Reset | StateFlags.NotReset));
        if ((flags & StateFlags.Incompatible) != 0)
        {
            return;
        }

        ref var sum = ref states.Histograms(group)[step];
        ref var compensation = ref states.Compensations(group)[step];
        var theirs = other.Histograms(otherGroup)[step]!;
        var theirCompensation = other.Compensations(otherGroup)[step];
        if (sum is null)
        {
            sum = theirs;
            compensation = theirCompensation;
            return;
        }

        Accumulate(ref sum, ref compensation, theirs, ref flags, Labels.Empty);
        if (theirCompensation is not null && (flags & StateFlags.Incompatible) == 0)
        {
            compensation = compensation is null ? theirCompensation : HistogramArithmetic.Add(compensation, theirCompensation);
        }
    }

    /// <summary>The sum of a cell divided by <paramref name="count"/>; null, with a remark, where there is none.</summary>
    public FloatHistogram? Finish(StateColumns states, int group, int step, double count)
    {
        var flags = states.Flags(group)[step];
        if ((flags & StateFlags.Float) != 0)
        {
            context.Warn("encountered a mix of histograms and floats for aggregation", node.Inner.Position);
            return null;
        }

        if ((flags & StateFlags.Incompatible) != 0)
        {
            return null;
        }

        if ((flags & (StateFlags.Reset | StateFlags.NotReset)) == (StateFlags.Reset | StateFlags.NotReset))
        {
            context.Warn("conflicting counter resets during histogram aggregation", node.Inner.Position);
        }

        return HistogramArithmetic.Total(states.Histograms(group)[step]!, states.Compensations(group)[step], count);
    }

    private void Accumulate(ref FloatHistogram sum, ref FloatHistogram? compensation, FloatHistogram term, ref byte flags, Labels series)
    {
        var fit = HistogramArithmetic.Accumulate(ref sum, ref compensation, term, out var reconciled);
        if (!fit)
        {
            flags |= StateFlags.Incompatible;
            context.Warn(
                $"vector contains a mix of histograms with exponential and custom buckets schemas for metric name {LabelsText.Quote(series[Labels.MetricName])}",
                node.Inner.Position);
        }
        else if (reconciled)
        {
            context.Info("mismatched custom buckets were reconciled during aggregation", node.Inner.Position);
        }
    }
}
