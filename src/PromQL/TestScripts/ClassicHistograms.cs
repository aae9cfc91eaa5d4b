using System.Text;
using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.TestScripts;

/// <summary>Makes native histograms with custom buckets of the classic ones in a load (<c>load_with_nhcb</c>).</summary>
internal static class ClassicHistograms
{
    private static readonly string[] suffixes = ["_bucket", "_count", "_sum"];

    /// <summary>One series per classic histogram, item by item.</summary>
    /// <exception cref="ScriptException">Cumulative counts fall, are negative, or disagree with the count.</exception>
    public static IEnumerable<ScriptSeries> ToCustomBuckets(LoadCommand load)
    {
        var families = new Dictionary<Labels, List<(string Suffix, double Bound, ScriptSeries Series)>>();
        foreach (var series in load.Series)
        {
            var name = series.Labels[Labels.MetricName];
            var suffix = suffixes.FirstOrDefault(s => name.EndsWith(s, StringComparison.Ordinal));
            var bound = 0.0;
            if (suffix is null || (suffix == "_bucket" && !GoNumber.TryParseFloat(series.Labels["le"], out bound, out _)))
            {
                continue;
            }

            var key = new LabelsBuilder().Reset(series.Labels).Set(Labels.MetricName, name[..^suffix.Length]).Remove("le").ToLabels();
            if (!families.TryGetValue(key, out var family))
            {
                families.Add(key, family = []);
            }

            family.Add((suffix, bound, series));
        }

        foreach (var (labels, family) in families)
        {
            var length = family.Max(m => m.Series.Values.Count);
            var values = new ScriptValue[length];
            for (var i = 0; i < length; i++)
            {
                values[i] = At(family, i, load.Line);
            }

            yield return new ScriptSeries(family[0].Series.Line, labels, values);
        }
    }

    private static ScriptValue At(List<(string Suffix, double Bound, ScriptSeries Series)> family, int item, int line)
    {
        var cumulative = new SortedDictionary<double, double>();
        double? count = null;
        var sum = 0.0;
        var any = false;
        foreach (var (suffix, bound, series) in family)
        {
            if (item >= series.Values.Count || series.Values[item] is not { IsPresent: true, Histogram: null } value)
            {
                continue;
            }

            any = true;
            switch (suffix)
            {
                case "_bucket": cumulative.TryAdd(bound, value.Value); break;
                case "_count": count = value.Value; break;
                default: sum = value.Value; break;
            }
        }

        return any ? new ScriptValue(true, 0, Build(cumulative, count, sum, line), false) : ScriptValue.Gap;
    }

    private static FloatHistogram Build(SortedDictionary<double, double> cumulative, double? count, double sum, int line)
    {
        var total = count ?? (cumulative.Count > 0 ? cumulative.Last().Value : 0);
        cumulative.TryAdd(double.PositiveInfinity, total);
        if (cumulative.Last().Value != total)
        {
            throw new ScriptException(line, $"classic histogram with count {total} but {cumulative.Last().Value} in its last bucket");
        }

        var buckets = new SortedDictionary<int, double>();
        var index = 0;
        var before = 0.0;
        foreach (var (bound, value) in cumulative)
        {
            if (value < before)
            {
                throw new ScriptException(line, new StringBuilder("classic histogram falls at le ").Append(bound).ToString());
            }

            if (value > before)
            {
                buckets[index] = value - before;
            }

            before = value;
            index++;
        }

        var (spans, counts) = BucketMap.ToSpans(buckets);
        return new FloatHistogram
        {
            Schema = FloatHistogram.CustomBucketsSchema,
            Count = total,
            Sum = sum,
            PositiveSpans = spans,
            PositiveBuckets = counts,
            CustomValues = [.. cumulative.Keys.Where(b => !double.IsPositiveInfinity(b))],
        };
    }
}
