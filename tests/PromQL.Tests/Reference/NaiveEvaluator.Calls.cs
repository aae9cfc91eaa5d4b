using System.Text.RegularExpressions;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL.Tests.Reference;

/// <summary>Function calls of the naive evaluator.</summary>
internal sealed partial class NaiveEvaluator
{
    private List<NaiveElement> Call(CallExpr call, long timeMs)
    {
        var name = call.Function.Name;
        switch (name)
        {
            case "time":
                return Scalar(timeMs / 1000.0);
            case "pi":
                return Scalar(Math.PI);
            case "vector":
                return Evaluate(call.Arguments[0], timeMs);
            case "scalar":
                var single = Evaluate(call.Arguments[0], timeMs).Where(e => e.Histogram is null).ToList();
                return Scalar(single.Count == 1 ? single[0].Value : double.NaN);
            case "timestamp" when Unwrap(call.Arguments[0]) is VectorSelector selector:
                return Timestamps(selector, timeMs);
            case "timestamp":
                return Map(Evaluate(call.Arguments[0], timeMs), e => new(DropName(e.Labels), timeMs / 1000.0, null));
            case "label_replace":
                return LabelReplace(call, timeMs);
            case "histogram_quantile":
                return ClassicQuantile(call, timeMs);
            case "histogram_count":
                return [.. Evaluate(call.Arguments[0], timeMs).Where(e => e.Histogram is not null).Select(e => new NaiveElement(DropName(e.Labels), e.Histogram!.Count, null))];
            case "histogram_sum":
                return [.. Evaluate(call.Arguments[0], timeMs).Where(e => e.Histogram is not null).Select(e => new NaiveElement(DropName(e.Labels), e.Histogram!.Sum, null))];
        }

        var matrixAt = call.Arguments.ToList().FindIndex(a => a.Type == ValueType.Matrix);
        if (matrixAt >= 0)
        {
            return OverRange(call, matrixAt, timeMs);
        }

        var scalars = call.Arguments.Skip(1).Select(a => ScalarOf(a, timeMs)).ToArray();
        return Distinct([.. Evaluate(call.Arguments[0], timeMs).Where(e => e.Histogram is null).Select(e => new NaiveElement(DropName(e.Labels), Element(name, e.Value, scalars), null))]);
    }

    private static Expr Unwrap(Expr expr) => expr is ParenExpr paren ? Unwrap(paren.Inner) : expr;

    private static double Element(string function, double v, double[] p) => function switch
    {
        "abs" => Math.Abs(v),
        "exp" => Math.Exp(v),
        "ln" => Math.Log(v),
        "log2" => Math.Log2(v),
        "log10" => Math.Log10(v),
        "sqrt" => Math.Sqrt(v),
        "rad" => v * Math.PI / 180,
        "clamp_min" => double.IsNaN(v) || double.IsNaN(p[0]) ? double.NaN : Math.Max(v, p[0]),
        "clamp_max" => double.IsNaN(v) || double.IsNaN(p[0]) ? double.NaN : Math.Min(v, p[0]),
        _ => throw new NotSupportedException($"the naive evaluator has no {function}"),
    };

    private List<NaiveElement> Timestamps(VectorSelector selector, long timeMs)
    {
        var at = Anchor(selector.At, selector.Offset, timeMs);
        return [.. from series in Matching(selector)
                   let newest = series.Samples.Where(s => s.TimeMs > at - lookbackMs && s.TimeMs <= at).Cast<NaiveSample?>().LastOrDefault()
                   where newest is { IsStale: false }
                   select new NaiveElement(DropName(series.Labels), newest.Value.TimeMs / 1000.0, null)];
    }

    private List<NaiveElement> LabelReplace(CallExpr call, long timeMs)
    {
        string Text(int argument) => ((StringLiteral)Unwrap(call.Arguments[argument])).Value;
        var pattern = new Regex($"^(?s:{Text(4)})$");
        return Map(Evaluate(call.Arguments[0], timeMs), e =>
        {
            var match = pattern.Match(e.Labels[Text(3)]);
            return match.Success ? e with { Labels = new LabelsBuilder().Reset(e.Labels).Set(Text(1), match.Result(Text(2))).ToLabels() } : e;
        });
    }

    private List<NaiveElement> ClassicQuantile(CallExpr call, long timeMs)
    {
        var q = ScalarOf(call.Arguments[0], timeMs);
        var result = new List<NaiveElement>();
        var buckets = Evaluate(call.Arguments[1], timeMs).Where(e => e.Histogram is null && double.TryParse(e.Labels["le"].Replace("+Inf", "Infinity"), out _));
        foreach (var group in buckets.GroupBy(e => new LabelsBuilder().Reset(e.Labels).Remove(Labels.MetricName).Remove("le").ToLabels()))
        {
            var bounds = group.Select(e => (Bound: double.Parse(e.Labels["le"].Replace("+Inf", "Infinity")), Count: e.Value)).OrderBy(b => b.Bound)
                .GroupBy(b => b.Bound).Select(g => (Bound: g.Key, Count: g.Sum(b => b.Count))).ToList();
            result.Add(new(group.Key, BucketQuantile(q, bounds), null));
        }

        return result;
    }

    private static double BucketQuantile(double q, List<(double Bound, double Count)> buckets)
    {
        if (double.IsNaN(q))
        {
            return double.NaN;
        }

        if (q is < 0 or > 1)
        {
            return q < 0 ? double.NegativeInfinity : double.PositiveInfinity;
        }

        if (!double.IsPositiveInfinity(buckets[^1].Bound) || buckets.Count < 2)
        {
            return double.NaN;
        }

        for (var i = 1; i < buckets.Count; i++)
        {
            // Counts that fall are lifted: they come from scrapes of buckets at different instants.
            var floor = double.IsNaN(buckets[i - 1].Count) ? 0 : buckets[i - 1].Count;
            if (buckets[i].Count < floor || Math.Abs(buckets[i].Count - floor) <= 1e-12 * (Math.Abs(buckets[i].Count) + Math.Abs(floor)))
            {
                buckets[i] = (buckets[i].Bound, floor);
            }
        }

        var total = buckets[^1].Count;
        if (total == 0 || double.IsNaN(total))
        {
            return double.NaN;
        }

        var rank = q * total;
        var b = buckets.FindIndex(0, buckets.Count - 1, x => x.Count >= rank);
        if (b < 0)
        {
            return buckets[^2].Bound;
        }

        if (b == 0 && buckets[0].Bound <= 0)
        {
            return buckets[0].Bound;
        }

        var start = b == 0 ? 0 : buckets[b - 1].Bound;
        var below = b == 0 ? 0 : buckets[b - 1].Count;
        return start + ((buckets[b].Bound - start) * ((rank - below) / (buckets[b].Count - below)));
    }

    private List<NaiveElement> OverRange(CallExpr call, int matrixAt, long timeMs)
    {
        var (windows, startMs, endMs) = Windows(call.Arguments[matrixAt], timeMs);
        var scalars = call.Arguments.Where((_, i) => i != matrixAt).Select(a => ScalarOf(a, timeMs)).ToArray();
        var keepsName = call.Function.Name is "last_over_time" or "first_over_time";
        var result = new List<NaiveElement>();
        foreach (var window in windows)
        {
            var element = window.Samples.Exists(s => s.Histogram is not null)
                ? HistogramWindow(call.Function.Name, window.Samples, startMs, endMs)
                : FloatWindow(call.Function.Name, window.Samples, scalars, startMs, endMs, timeMs) is { } value ? new NaiveElement(Labels.Empty, value, null) : null;
            if (element is not null)
            {
                result.Add(element.Value with { Labels = keepsName ? window.Labels : DropName(window.Labels) });
            }
        }

        return Distinct(result);
    }

    private static double? FloatWindow(string function, List<NaiveSample> w, double[] p, long startMs, long endMs, long evaluationMs)
    {
        var values = w.ConvertAll(s => s.Value);
        switch (function)
        {
            case "sum_over_time": return ExactSum(values);
            case "avg_over_time": return Mean(values);
            case "count_over_time": return values.Count;
            case "min_over_time": return Extreme(values, -1);
            case "max_over_time": return Extreme(values, 1);
            case "last_over_time": return values[^1];
            case "first_over_time": return values[0];
            case "present_over_time": return 1;
            case "stddev_over_time": return Math.Sqrt(Variance(values));
            case "stdvar_over_time": return Variance(values);
            case "quantile_over_time": return Quantile(p[0], values);
            case "changes": return Pairs(values).Count(v => v.Now != v.Before && !(double.IsNaN(v.Now) && double.IsNaN(v.Before)));
            case "resets": return Pairs(values).Count(v => v.Now < v.Before);
            case "rate": return Extrapolated(w, startMs, endMs, isCounter: true, isRate: true);
            case "increase": return Extrapolated(w, startMs, endMs, isCounter: true, isRate: false);
            case "delta": return Extrapolated(w, startMs, endMs, isCounter: false, isRate: false);
        }

        if (w.Count < 2)
        {
            return null;
        }

        var (before, last) = (w[^2], w[^1]);
        switch (function)
        {
            case "idelta": return last.Value - before.Value;
            case "irate": return (last.Value < before.Value ? last.Value : last.Value - before.Value) / ((last.TimeMs - before.TimeMs) / 1000.0);
            case "deriv": return Regression(w, w[0].TimeMs).Slope;
            case "predict_linear":
                var (slope, intercept) = Regression(w, evaluationMs);
                return intercept + (slope * p[0]);
            default: throw new NotSupportedException($"the naive evaluator has no {function}");
        }
    }

    private static IEnumerable<(double Before, double Now)> Pairs(List<double> values) => values.Zip(values.Skip(1));

    /// <summary>rate, increase and delta: the difference stretched to the window's ends, unless the samples stop far from them or a counter would start below zero.</summary>
    private static double? Extrapolated(List<NaiveSample> w, long startMs, long endMs, bool isCounter, bool isRate)
    {
        if (w.Count < 2)
        {
            return null;
        }

        var difference = w[^1].Value - w[0].Value;
        if (isCounter)
        {
            difference += Pairs(w.ConvertAll(s => s.Value)).Where(v => v.Now < v.Before).Sum(v => v.Before);
        }

        return difference * Stretch(w, startMs, endMs, isCounter && difference > 0 && w[0].Value >= 0 ? w[0].Value / difference : null, isRate);
    }

    private static double Stretch(List<NaiveSample> w, long startMs, long endMs, double? startShare, bool isRate)
    {
        var sampled = (w[^1].TimeMs - w[0].TimeMs) / 1000.0;
        var average = sampled / (w.Count - 1);
        var toStart = (w[0].TimeMs - startMs) / 1000.0;
        var toEnd = (endMs - w[^1].TimeMs) / 1000.0;
        if (toStart >= average * 1.1)
        {
            toStart = average / 2;
        }

        if (startShare is { } share)
        {
            toStart = Math.Min(toStart, sampled * share);
        }

        if (toEnd >= average * 1.1)
        {
            toEnd = average / 2;
        }

        return (sampled + toStart + toEnd) / sampled / (isRate ? (endMs - startMs) / 1000.0 : 1);
    }

    private static (double Slope, double Intercept) Regression(List<NaiveSample> w, long interceptMs)
    {
        if (w.TrueForAll(s => s.Value == w[0].Value))
        {
            return double.IsInfinity(w[0].Value) ? (double.NaN, double.NaN) : (0, w[0].Value);
        }

        var x = w.ConvertAll(s => (s.TimeMs - interceptMs) / 1000.0);
        var n = (double)w.Count;
        var (sumX, sumY) = (ExactSum(x), ExactSum(w.Select(s => s.Value)));
        var covariance = ExactSum(w.Select((s, i) => s.Value * x[i])) - (sumX * sumY / n);
        var variance = ExactSum(x.Select(v => v * v)) - (sumX * sumX / n);
        var slope = covariance / variance;
        return (slope, (sumY / n) - (slope * sumX / n));
    }

    private static bool IsReset(NaiveSample before, NaiveSample now) => (before.Histogram, now.Histogram) switch
    {
        (null, null) => now.Value < before.Value,
        ({ } b, { } n) => n.DetectReset(b),
        _ => true,
    };

    private static bool IsChange(NaiveSample before, NaiveSample now) => (before.Histogram, now.Histogram) switch
    {
        (null, null) => now.Value != before.Value && !(double.IsNaN(now.Value) && double.IsNaN(before.Value)),
        ({ } b, { } n) => !n.HasSameDataAs(b),
        _ => true,
    };

    private static NaiveElement? HistogramWindow(string function, List<NaiveSample> w, long startMs, long endMs)
    {
        if (function is "count_over_time" or "present_over_time")
        {
            return new(Labels.Empty, function[0] == 'c' ? w.Count : 1, null);
        }

        if (function is "last_over_time" or "first_over_time")
        {
            var chosen = function[0] == 'l' ? w[^1] : w[0];
            return new(Labels.Empty, chosen.Value, chosen.Histogram);
        }

        if (function is "resets" or "changes")
        {
            return new(Labels.Empty, w.Zip(w.Skip(1)).Count(p => function == "resets" ? IsReset(p.First, p.Second) : IsChange(p.First, p.Second)), null);
        }

        if (!w.TrueForAll(s => s.Histogram is not null) || (w.Count < 2 && function is "rate" or "increase" or "delta" or "irate" or "idelta"))
        {
            return null; // Mixed windows and lone samples have no result.
        }

        // Differences lose their empty buckets, as in Prometheus; it shows where a result is multiplied by what is no number, or looked through for resets.
        var histograms = w.ConvertAll(s => s.Histogram!);
        switch (function)
        {
            case "sum_over_time":
                return new(Labels.Empty, double.NaN, histograms.Skip(1).Aggregate(histograms[0].Copy(), (a, b) => a.Add(b)));
            case "avg_over_time":
                return new(Labels.Empty, double.NaN, histograms.Skip(1).Aggregate(histograms[0].Copy(), (a, b) => a.Add(b)).Divide(histograms.Count));
            case "irate" or "idelta":
                var (last, before) = (histograms[^1], histograms[^2]);
                var step = (function == "irate" && last.DetectReset(before) ? last.Copy() : last.Copy().Subtract(before)).Compact(0);
                return new(Labels.Empty, double.NaN, function == "irate" ? step.Divide((w[^1].TimeMs - w[^2].TimeMs) / 1000.0) : step);
            case "delta":
                return new(Labels.Empty, double.NaN, histograms[^1].Copy().Subtract(histograms[0]).Multiply(Stretch(w, startMs, endMs, null, isRate: false)).Compact(0));
            case "rate" or "increase":
                var difference = histograms[^1].Copy().Subtract(histograms[0]);
                for (var i = 1; i < histograms.Count; i++)
                {
                    if (histograms[i].DetectReset(histograms[i - 1]))
                    {
                        difference = difference.Add(histograms[i - 1]);
                    }
                }

                double? share = difference.Count > 0 && histograms[0].Count >= 0 ? histograms[0].Count / difference.Count : null;
                return new(Labels.Empty, double.NaN, difference.Multiply(Stretch(w, startMs, endMs, share, function == "rate")).Compact(0));
            default:
                return null; // Functions of floats ignore histograms.
        }
    }
}
