using System.Globalization;
using Metrics.Model;
using Metrics.PromQL.Functions;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary><c>histogram_quantile</c>, <c>histogram_quantiles</c> and <c>histogram_fraction</c>, over classic and native histograms alike.</summary>
/// <remarks>
/// The buckets of a classic histogram are series that differ in <c>le</c> only; they are grouped once, and computed with at each step. A native histogram that has the labels
/// of a classic one, at a step where both are, is left out together with it.
/// </remarks>
internal sealed class HistogramCalls
{
    private const string BucketLabel = "le";
    private readonly CallNode node;
    private readonly EvaluationContext context;
    private readonly Expr histogramArgument;
    private readonly PositionRange position;
    private readonly Materialised source;
    private readonly LabelSets labels = new();
    private readonly Dictionary<Labels, ClassicGroup> groups = [];
    private readonly List<(int Row, Labels Key, SeriesHeader Header)> natives = [];
    private readonly Dictionary<string, ForcedMonotonicity> forced = new(StringComparer.Ordinal);

    private HistogramCalls(CallNode node, Expr histogramArgument, Materialised source, EvaluationContext context)
    {
        this.node = node;
        this.histogramArgument = histogramArgument;
        position = histogramArgument.Position;
        this.source = source;
        this.context = context;
        Group();
    }

    private delegate double OfClassic(ClassicBuckets buckets, int step, string name);

    private delegate double OfNative(FloatHistogram histogram, int step, string name);

    public static VectorOperator Quantile(CallNode node, double[] quantiles, VectorOperator source, EvaluationContext context)
    {
        Validate(quantiles, node.Call.Arguments[0], context);
        return Run(node, node.Call.Arguments[1], source, context, (calls, rows) => calls.Quantile(quantiles, null, null, rows));
    }

    public static VectorOperator Quantiles(CallNode node, string label, IReadOnlyList<double[]> quantiles, VectorOperator source, EvaluationContext context)
    {
        for (var i = 0; i < quantiles.Count; i++)
        {
            Validate(quantiles[i], node.Call.Arguments[i + 2], context);
        }

        return Run(node, node.Call.Arguments[0], source, context, (calls, rows) =>
        {
            for (var i = 0; i < quantiles.Count; i++)
            {
                // A parameter may change from step to step, and with it the label.
                foreach (var value in quantiles[i].Distinct())
                {
                    // What the first quantile has said of the buckets the others need not repeat.
                    calls.Quantile(quantiles[i], value, label, rows, isRepeated: i > 0);
                }
            }
        });
    }

    public static VectorOperator Fraction(CallNode node, double[] lower, double[] upper, VectorOperator source, EvaluationContext context) =>
        Run(node, node.Call.Arguments[2], source, context, (calls, rows) => calls.Compute(
            rows,
            static _ => true,
            static header => header,
            (buckets, step, _) => buckets.Fraction(lower[step], upper[step]),
            (histogram, step, name) =>
            {
                var fraction = HistogramDistribution.Fraction(lower[step], upper[step], histogram, out var remark);
                calls.Remark(remark, name);
                return fraction;
            }));

    private static VectorOperator Run(
        CallNode node, Expr argument, VectorOperator source, EvaluationContext context, Action<HistogramCalls, ResultRows> compute)
    {
        using var whole = Materialised.From(source, context);
        var rows = new ResultRows(whole.Steps);
        var calls = new HistogramCalls(node, argument, whole, context);
        compute(calls, rows);
        calls.SayForced();
        return rows.ToOperator();
    }

    private static void Validate(double[] quantiles, Expr argument, EvaluationContext context)
    {
        foreach (var q in quantiles)
        {
            if (!(q is >= 0 and <= 1))
            {
                context.Warn($"quantile value should be between 0 and 1, got {ShortestNumber.Of(q)}", argument.Position);
            }
        }
    }

    private void Quantile(double[] quantiles, double? only, string? label, ResultRows rows, bool isRepeated = false)
    {
        var text = only is { } value ? OpenMetrics(value) : null;
        Compute(
            rows,
            step => only is null || only.Value.Equals(quantiles[step]),
            header => label is null ? header : header with { Labels = new LabelsBuilder().Reset(header.Labels).Set(label, text!).ToLabels() },
            (buckets, step, name) =>
            {
                var quantile = buckets.Quantile(quantiles[step], out var lifted);
                if (lifted.Any && !isRepeated)
                {
                    var timeMs = node.Grid.At(step);
                    forced[name] = forced.TryGetValue(name, out var known) ? known.And(lifted, timeMs) : new(lifted, timeMs, timeMs, 1);
                }

                return quantile;
            },
            (histogram, step, name) =>
            {
                var quantile = HistogramDistribution.Quantile(quantiles[step], histogram, out var remark);
                Remark(remark, name);
                return quantile;
            });
    }

    private void Compute(ResultRows rows, Func<int, bool> wanted, Func<SeriesHeader, SeriesHeader> relabel, OfClassic ofClassic, OfNative ofNative)
    {
        foreach (var (row, key, header) in natives)
        {
            var result = relabel(context.DropName(header, labels));
            var name = NameIn(header);
            var classic = groups.GetValueOrDefault(key);
            for (var step = 0; step < source.Steps; step++)
            {
                if (source.Rows[row].Histogram(step) is not { } histogram || !wanted(step))
                {
                    continue;
                }

                if (classic?.HasBuckets(source, step) == true)
                {
                    context.Warn("vector contains a mix of classic and native histograms" + ForMetric(Delayed(header)), position);
                    classic.Conflicts.Add(step);
                }
                else
                {
                    rows.Add(result, step, ofNative(histogram, step, name), null);
                }
            }
        }

        var buckets = new ClassicBuckets();
        foreach (var group in groups.Values)
        {
            var result = relabel(context.DropName(group.Header, labels));
            for (var step = 0; step < source.Steps; step++)
            {
                if (wanted(step) && !group.Conflicts.Contains(step) && group.Fill(source, step, buckets))
                {
                    rows.Add(result, step, ofClassic(buckets, step, Delayed(group.Header)), null);
                }
            }
        }
    }

    /// <summary>Sorts the series into the buckets of classic histograms and the rest.</summary>
    private void Group()
    {
        var builder = new LabelsBuilder();
        for (var row = 0; row < source.Rows.Count; row++)
        {
            var header = source.Series[row];
            var (floats, histograms) = Kinds(source.Rows[row]);
            if (histograms)
            {
                natives.Add((row, header.Labels, header));
            }

            if (!floats)
            {
                continue;
            }

            var text = header.Labels[BucketLabel];
            if (!GoNumber.TryParseFloat(text, out var bound, out var outOfRange) || outOfRange)
            {
                context.Warn($"bucket label \"le\" is missing or has a malformed value of {GoText.Quote(text)}" + ForMetric(Delayed(header)), position);
                continue;
            }

            var key = builder.Reset(header.Labels).Remove("le"u8).ToLabels();
            if (!groups.TryGetValue(key, out var group))
            {
                groups.Add(key, group = new ClassicGroup(header with { Labels = key }));
            }

            group.Buckets.Add((row, bound));
        }
    }

    private static (bool Floats, bool Histograms) Kinds(StepRow row)
    {
        var (floats, histograms) = (false, false);
        for (var step = 0; step < row.Steps; step++)
        {
            if (row.Has(step))
            {
                var isHistogram = row.Histogram(step) is not null;
                histograms |= isHistogram;
                floats |= !isHistogram;
            }
        }

        return (floats, histograms);
    }

    /// <summary>The metric name as remarks show it where names are dropped at the end; else they have none.</summary>
    private string Delayed(SeriesHeader header) => context.Options.DelayedNameRemoval ? header.Labels[Labels.MetricName] : "";

    private string NameIn(SeriesHeader header) => Delayed(header);

    private void Remark(DistributionRemark remark, string name)
    {
        var text = remark switch
        {
            DistributionRemark.ResultIsNaN => "input to histogram_quantile has NaN observations, result is NaN",
            DistributionRemark.SkewedByNaN => "input to histogram_quantile has NaN observations, result is skewed higher",
            DistributionRemark.NaNExcluded => "input to histogram_fraction has NaN observations, which are excluded from all fractions",
            _ => null,
        };
        if (text is not null)
        {
            context.Info(text + ForMetric(name), position);
        }
    }

    private void SayForced()
    {
        foreach (var (name, found) in forced)
        {
            context.Info(
                "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
                + ForMetric(name)
                + $", from buckets {ShortestNumber.Of(found.Lifted.MinBound)} to {ShortestNumber.Of(found.Lifted.MaxBound)}, with a max diff of {TwoDigits(found.Lifted.MaxDifference)}, "
                + $"over {found.Samples} samples from {Rfc3339(found.FirstMs)} to {Rfc3339(found.LastMs)}",
                histogramArgument.Position);
        }
    }

    private static string ForMetric(string name) => name.Length == 0 ? "" : $" for metric name {GoText.Quote(name)}";

    private static string Rfc3339(long timeMs) =>
        DateTimeOffset.FromUnixTimeSeconds(timeMs / 1000).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>Go's <c>%.2g</c>.</summary>
    private static string TwoDigits(double value) => ShortestNumber.Of(double.Parse(value.ToString("E1", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)) is var text
        && value >= 100 ? Scientific(value) : text;

    private static string Scientific(double value)
    {
        var parts = value.ToString("E1", CultureInfo.InvariantCulture).Split('E');
        var exponent = int.Parse(parts[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var mantissa = parts[0].EndsWith(".0", StringComparison.Ordinal) ? parts[0][..^2] : parts[0];
        return $"{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    /// <summary>A quantile as a label value: as OpenMetrics writes numbers, never without a point or an exponent.</summary>
    private static string OpenMetrics(double value)
    {
        var text = ShortestNumber.Of(value);
        return !double.IsFinite(value) || text.AsSpan().IndexOfAny('e', '.') >= 0 ? text : text + ".0";
    }

    private readonly record struct ForcedMonotonicity(LiftedBuckets Lifted, long FirstMs, long LastMs, int Samples)
    {
        public ForcedMonotonicity And(in LiftedBuckets more, long timeMs) => new(Lifted.And(more), Math.Min(FirstMs, timeMs), Math.Max(LastMs, timeMs), Samples + 1);
    }

    /// <summary>The series of one classic histogram.</summary>
    private sealed class ClassicGroup(SeriesHeader header)
    {
        public SeriesHeader Header { get; } = header;

        public List<(int Row, double Bound)> Buckets { get; } = [];

        public HashSet<int> Conflicts { get; } = [];

        public bool HasBuckets(Materialised source, int step)
        {
            foreach (var (row, _) in Buckets)
            {
                if (source.Rows[row].Has(step) && source.Rows[row].Histogram(step) is null)
                {
                    return true;
                }
            }

            return false;
        }

        public bool Fill(Materialised source, int step, ClassicBuckets into)
        {
            into.Clear();
            foreach (var (row, bound) in Buckets)
            {
                if (source.Rows[row].Has(step) && source.Rows[row].Histogram(step) is null)
                {
                    into.Add(bound, source.Rows[row].Values[step]);
                }
            }

            return into.Count > 0;
        }
    }
}
