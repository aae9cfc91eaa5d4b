using Metrics.Model;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary><c>quantile</c>: needs all values of a group at a step, so series travel.</summary>
internal static class QuantileAggregate
{
    public static VectorOperator Apply(AggregateNode node, VectorOperator source, double[] parameter, EvaluationContext context)
    {
        Check(node, parameter, context);
        using var whole = Materialised.From(source, context);
        var grouping = new Grouping(node, whole.Series);
        var headers = grouping.Headers;
        var members = new List<int>[headers.Length];
        for (var i = 0; i < whole.Series.Count; i++)
        {
            (members[grouping.Of(i)] ??= []).Add(i);
        }

        var results = new ResultRows(whole.Steps);
        var values = new double[whole.Series.Count];
        for (var group = 0; group < headers.Length; group++)
        {
            context.Checkpoint();
            var into = results.RowOf(headers[group]);
            for (var step = 0; step < whole.Steps; step++)
            {
                var count = 0;
                foreach (var at in members[group])
                {
                    var row = whole.Rows[at];
                    if (!row.Has(step))
                    {
                        continue;
                    }

                    if (row.Histogram(step) is not null)
                    {
                        context.Info("ignored histogram in quantile aggregation", node.Inner.Position);
                        continue;
                    }

                    values[count++] = row.Values[step];
                }

                if (count > 0)
                {
                    into.Set(step, Quantile(parameter[step], values.AsSpan(0, count)));
                }
            }
        }

        return results.ToOperator();
    }

    /// <summary>The quantile by linear interpolation between the two nearest ranks; NaN sorts first. Sorts the values.</summary>
    private static double Quantile(double q, Span<double> values)
    {
        if (double.IsNaN(q))
        {
            return double.NaN;
        }

        if (q is < 0 or > 1)
        {
            return q < 0 ? double.NegativeInfinity : double.PositiveInfinity;
        }

        values.Sort();
        var rank = q * (values.Length - 1);
        var lower = Math.Max(0, Math.Floor(rank));
        var upper = Math.Min(values.Length - 1, lower + 1);
        var weight = rank - Math.Floor(rank);
        return (values[(int)lower] * (1 - weight)) + (values[(int)upper] * weight);
    }

    private static void Check(AggregateNode node, double[] parameter, EvaluationContext context)
    {
        var (min, max, anyNaN) = (double.PositiveInfinity, double.NegativeInfinity, false);
        foreach (var value in parameter)
        {
            anyNaN |= double.IsNaN(value);
            min = value < min ? value : min;
            max = value > max ? value : max;
        }

        if (anyNaN)
        {
            context.Warn("quantile value should be between 0 and 1, got NaN", node.Parameter!.Position);
        }

        if (max > 1)
        {
            context.Warn($"quantile value should be between 0 and 1, got {ShortestNumber.Of(max)}", node.Parameter!.Position);
        }

        if (min < 0)
        {
            context.Warn($"quantile value should be between 0 and 1, got {ShortestNumber.Of(min)}", node.Parameter!.Position);
        }
    }
}
