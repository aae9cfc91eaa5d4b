using Metrics.Model;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Aggregates;

/// <summary><c>avg</c>. State: sum (or, once that would overflow, mean), its compensation, and the counts of floats and of histograms.</summary>
internal sealed class AvgAggregate(AggregateNode node, EvaluationContext context) : Aggregate(node, context)
{
    private readonly HistogramSum histograms = new(node, context);

    public override int NumberColumns => 3;

    public override void Update(StateColumns states, int group, StepRow row, Labels series)
    {
        var sums = states.Numbers(0, group);
        var compensations = states.Numbers(1, group);
        var counts = states.Numbers(2, group);
        var flags = states.Flags(group);
        var values = row.Values;
        var mixed = row.AnyHistogram;
        for (var step = 0; step < values.Length; step++)
        {
            if (!row.Has(step))
            {
                continue;
            }

            if (mixed && row.Histogram(step) is { } histogram)
            {
                counts[step]++;
                histograms.Add(states, group, step, histogram, series);
            }
            else
            {
                Add(ref flags[step], values[step], ref sums[step], ref compensations[step], ++counts[step]);
            }
        }
    }

    public override void Merge(StateColumns states, int group, StateColumns other, int otherGroup)
    {
        var sums = states.Numbers(0, group);
        var compensations = states.Numbers(1, group);
        var counts = states.Numbers(2, group);
        var flags = states.Flags(group);
        var theirSums = other.Numbers(0, otherGroup);
        var theirCompensations = other.Numbers(1, otherGroup);
        var theirCounts = other.Numbers(2, otherGroup);
        var theirFlags = other.Flags(otherGroup);
        for (var step = 0; step < sums.Length; step++)
        {
            if ((theirFlags[step] & StateFlags.Float) != 0)
            {
                MergeFloats(
                    ref flags[step], ref sums[step], ref compensations[step], counts[step], theirFlags[step], theirSums[step], theirCompensations[step], theirCounts[step]);
            }

            if ((theirFlags[step] & StateFlags.Histogram) != 0)
            {
                histograms.Merge(states, group, other, otherGroup, step);
            }

            counts[step] += theirCounts[step];
        }
    }

    public override void Finish(StateColumns states, int group, StepRow into)
    {
        var sums = states.Numbers(0, group);
        var compensations = states.Numbers(1, group);
        var counts = states.Numbers(2, group);
        var flags = states.Flags(group);
        for (var step = 0; step < sums.Length; step++)
        {
            if ((flags[step] & StateFlags.Histogram) != 0)
            {
                if (histograms.Finish(states, group, step, counts[step]) is { } histogram)
                {
                    into.Set(step, histogram);
                }
            }
            else if ((flags[step] & StateFlags.IncrementalMean) != 0)
            {
                into.Set(step, sums[step] + compensations[step]);
            }
            else if (flags[step] != 0)
            {
                into.Set(step, (sums[step] / counts[step]) + (compensations[step] / counts[step]));
            }
        }
    }

    /// <summary>Adds a value; <paramref name="count"/> includes it.</summary>
    private static void Add(ref byte flags, double value, ref double sum, ref double compensation, double count)
    {
        if ((flags & StateFlags.Float) == 0)
        {
            flags |= StateFlags.Float;
            sum = value;
            compensation = 0;
            return;
        }

        if ((flags & StateFlags.IncrementalMean) == 0)
        {
            var (newSum, newCompensation) = (sum, compensation);
            KahanSum.Add(value, ref newSum, ref newCompensation);
            if (!double.IsInfinity(newSum))
            {
                (sum, compensation) = (newSum, newCompensation);
                return;
            }

            ToMean(ref flags, ref sum, ref compensation, count - 1);
        }

        var share = (count - 1) / count;
        sum *= share;
        compensation *= share;
        KahanSum.Add(value / count, ref sum, ref compensation);
    }

    private static void ToMean(ref byte flags, ref double sum, ref double compensation, double count)
    {
        flags |= StateFlags.IncrementalMean;
        sum /= count;
        compensation /= count;
    }

    private static void MergeFloats(
        ref byte flags, ref double sum, ref double compensation, double count, byte theirFlags, double theirSum, double theirCompensation, double theirCount)
    {
        if ((flags & StateFlags.Float) == 0)
        {
            flags |= (byte)(theirFlags & (StateFlags.Float | StateFlags.IncrementalMean));
            sum = theirSum;
            compensation = theirCompensation;
            return;
        }

        if (((flags | theirFlags) & StateFlags.IncrementalMean) == 0)
        {
            var (newSum, newCompensation) = (sum, compensation);
            KahanSum.Add(theirSum, ref newSum, ref newCompensation);
            if (!double.IsInfinity(newSum))
            {
                (sum, compensation) = (newSum, newCompensation + theirCompensation);
                return;
            }
        }

        // One of the sums overflowed, or both together would: weighted means instead.
        if ((flags & StateFlags.IncrementalMean) == 0)
        {
            ToMean(ref flags, ref sum, ref compensation, count);
        }

        if ((theirFlags & StateFlags.IncrementalMean) == 0)
        {
            theirSum /= theirCount;
            theirCompensation /= theirCount;
        }

        var mine = count / (count + theirCount);
        var theirs = theirCount / (count + theirCount);
        sum *= mine;
        compensation = (compensation * mine) + (theirCompensation * theirs);
        KahanSum.Add(theirSum * theirs, ref sum, ref compensation);
    }
}
