using System.Globalization;
using System.Text.Json;

namespace Metrics.EndToEnd.Programs;

/// <summary>Compares whole answers of the query API, histograms included.</summary>
internal static class Answers
{
    /// <summary>What differs, a line a series.</summary>
    public static IEnumerable<string> Differences(JsonElement expected, JsonElement actual)
    {
        var (want, got) = (Series(expected), Series(actual));
        foreach (var (labels, values) in want)
        {
            if (!got.TryGetValue(labels, out var other))
            {
                yield return $"missing series {labels}";
            }
            else if (FirstDifference(values, other) is { } difference)
            {
                yield return $"{labels}: {difference}";
            }
        }

        foreach (var extra in got.Keys.Except(want.Keys, StringComparer.Ordinal))
        {
            yield return $"unexpected series {extra}";
        }
    }

    private static string? FirstDifference(List<object> want, List<object> got)
    {
        if (want.Count != got.Count)
        {
            return $"{want.Count} values expected, got {got.Count}";
        }

        for (var i = 0; i < want.Count; i++)
        {
            var same = (want[i], got[i]) is (double a, double b)
                ? a.Equals(b) || Math.Abs(a - b) <= Comparison.RelativeTolerance * Math.Max(Math.Abs(a), Math.Abs(b))
                : want[i].Equals(got[i]);
            if (!same)
            {
                return $"value {i} is {got[i]}, want {want[i]}";
            }
        }

        return null;
    }

    private static Dictionary<string, List<object>> Series(JsonElement answer)
    {
        var all = new Dictionary<string, List<object>>(StringComparer.Ordinal);
        foreach (var series in answer.GetProperty("data").GetProperty("result").EnumerateArray())
        {
            var values = new List<object>();
            foreach (var part in series.EnumerateObject().Where(p => p.Name != "metric").OrderBy(p => p.Name, StringComparer.Ordinal))
            {
                values.Add(part.Name);
                Flatten(part.Value, values);
            }

            all.Add(string.Join(",", series.GetProperty("metric").EnumerateObject().Select(l => $"{l.Name}={l.Value}").Order(StringComparer.Ordinal)), values);
        }

        return all;
    }

    // Numbers, also those in strings, become numbers; everything else stays text.
    private static void Flatten(JsonElement value, List<object> into)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                {
                    Flatten(item, into);
                }

                break;
            case JsonValueKind.Object:
                foreach (var item in value.EnumerateObject().OrderBy(p => p.Name, StringComparer.Ordinal))
                {
                    into.Add(item.Name);
                    Flatten(item.Value, into);
                }

                break;
            case JsonValueKind.Number:
                into.Add(value.GetDouble());
                break;
            default:
                var text = value.ToString();
                into.Add(double.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : text);
                break;
        }
    }
}
