using System.Numerics;
using System.Runtime.InteropServices;
using Metrics.Model;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Aggregates;

/// <summary><c>sum</c>. State: sum and compensation, for floats and for histograms. The first float starts the sum exactly, also when it is -0.</summary>
internal sealed class SumAggregate(AggregateNode node, EvaluationContext context) : Aggregate(node, context)
{
    private readonly HistogramSum histograms = new(node, context);

    public override int NumberColumns => 2;

    public override void Update(StateColumns states, int group, StepRow row, Labels series)
    {
        var sums = states.Numbers(0, group);
        var compensations = states.Numbers(1, group);
        var flags = states.Flags(group);
        if (!row.AnyHistogram && AllPresent(row) && flags.IndexOfAnyExcept(StateFlags.Float) < 0)
        {
            AddWide(row.Values, sums, compensations);
            return;
        }

        var values = row.Values;
        for (var step = 0; step < values.Length; step++)
        {
            if (!row.Has(step))
            {
                continue;
            }

            if (row.Histogram(step) is { } histogram)
            {
                histograms.Add(states, group, step, histogram, series);
            }
            else
            {
                AddFloat(ref flags[step], values[step], ref sums[step], ref compensations[step]);
            }
        }
    }

    public override void Merge(StateColumns states, int group, StateColumns other, int otherGroup)
    {
        var sums = states.Numbers(0, group);
        var compensations = states.Numbers(1, group);
        var flags = states.Flags(group);
        var theirFlags = other.Flags(otherGroup);
        var theirSums = other.Numbers(0, otherGroup);
        var theirCompensations = other.Numbers(1, otherGroup);
        for (var step = 0; step < sums.Length; step++)
        {
            if ((theirFlags[step] & StateFlags.Float) != 0)
            {
                AddFloat(ref flags[step], theirSums[step], ref sums[step], ref compensations[step]);
                compensations[step] += theirCompensations[step];
            }

            if ((theirFlags[step] & StateFlags.Histogram) != 0)
            {
                histograms.Merge(states, group, other, otherGroup, step);
            }
        }
    }

    public override void Finish(StateColumns states, int group, StepRow into)
    {
        var sums = states.Numbers(0, group);
        var compensations = states.Numbers(1, group);
        var flags = states.Flags(group);
        for (var step = 0; step < sums.Length; step++)
        {
            if ((flags[step] & StateFlags.Histogram) != 0)
            {
                if (histograms.Finish(states, group, step, 1) is { } histogram)
                {
                    into.Set(step, histogram);
                }
            }
            else if (flags[step] != 0)
            {
                into.Set(step, sums[step] + compensations[step]);
            }
        }
    }

    private static void AddFloat(ref byte flags, double value, ref double sum, ref double compensation)
    {
        if ((flags & StateFlags.Float) == 0)
        {
            flags |= StateFlags.Float;
            sum = value;
            compensation = 0;
        }
        else
        {
            KahanSum.Add(value, ref sum, ref compensation);
        }
    }

    private static bool AllPresent(StepRow row)
    {
        var words = row.Presence;
        var last = words.Length - 1;
        var tail = row.Steps & 63;
        return !words[..last].ContainsAnyExcept(ulong.MaxValue) && words[last] == (tail == 0 ? ulong.MaxValue : (1UL << tail) - 1);
    }

    private static void AddWide(Span<double> terms, Span<double> sums, Span<double> compensations)
    {
        var term = MemoryMarshal.Cast<double, Vector<double>>(terms);
        var sum = MemoryMarshal.Cast<double, Vector<double>>(sums);
        var compensation = MemoryMarshal.Cast<double, Vector<double>>(compensations);
        for (var i = 0; i < term.Length; i++)
        {
            var total = sum[i] + term[i];
            var sumIsLarger = Vector.GreaterThanOrEqual(Vector.Abs(sum[i]), Vector.Abs(term[i]));
            var error = Vector.ConditionalSelect(sumIsLarger, (sum[i] - total) + term[i], (term[i] - total) + sum[i]);
            var infinite = Vector.Equals(Vector.Abs(total), new Vector<double>(double.PositiveInfinity));
            compensation[i] = Vector.ConditionalSelect(infinite, Vector<double>.Zero, compensation[i] + error);
            sum[i] = total;
        }

        for (var i = term.Length * Vector<double>.Count; i < terms.Length; i++)
        {
            KahanSum.Add(terms[i], ref sums[i], ref compensations[i]);
        }
    }
}
