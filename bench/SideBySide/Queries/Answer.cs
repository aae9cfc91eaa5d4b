using System.Globalization;
using System.Text.Json;

namespace Metrics.SideBySide;

/// <summary>What a server answered: points of each series by the text of its labels.</summary>
internal sealed class Answer
{
    /// <summary>How far values may be apart, relative to the larger: sums are made in another order.</summary>
    private const double Tolerance = 1e-9;

    private readonly Dictionary<string, List<(double Time, double Value)>> series = new(StringComparer.Ordinal);

    /// <summary>The number of series.</summary>
    public int Count => series.Count;

    /// <summary>Reads the JSON of Prometheus's query API.</summary>
    public static Answer Parse(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json);
        var data = document.RootElement.GetProperty("data");
        var result = data.GetProperty("result");
        var answer = new Answer();
        if (data.GetProperty("resultType").GetString() == "scalar")
        {
            answer.series[""] = [Point(result)];
            return answer;
        }

        foreach (var item in result.EnumerateArray())
        {
            var labels = item.GetProperty("metric").EnumerateObject().OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => $"{p.Name}=\"{p.Value.GetString()}\"");
            answer.series[string.Join(',', labels)] = item.TryGetProperty("values", out var values) ? [.. values.EnumerateArray().Select(Point)] : [Point(item.GetProperty("value"))];
        }

        return answer;
    }

    /// <summary>The first difference to what is expected, in words; null when there is none.</summary>
    public string? DifferenceTo(Answer expected)
    {
        foreach (var (labels, points) in expected.series)
        {
            if (!series.TryGetValue(labels, out var own))
            {
                return $"{Count} series, expected {expected.Count}; no {{{labels}}}";
            }

            if (own.Count != points.Count)
            {
                return $"{own.Count} points, expected {points.Count} in {{{labels}}}";
            }

            for (var i = 0; i < points.Count; i++)
            {
                if (own[i].Time != points[i].Time || !Same(own[i].Value, points[i].Value))
                {
                    return string.Create(CultureInfo.InvariantCulture, $"{own[i].Value:R} at {own[i].Time}, expected {points[i].Value:R} at {points[i].Time} in {{{labels}}}");
                }
            }
        }

        return Count == expected.Count ? null : $"{Count} series, expected {expected.Count}; {{{series.Keys.First(k => !expected.series.ContainsKey(k))}}} is too many";
    }

    private static bool Same(double a, double b) => a.Equals(b) || Math.Abs(a - b) <= Tolerance * Math.Max(Math.Abs(a), Math.Abs(b));

    private static (double Time, double Value) Point(JsonElement pair) => (pair[0].GetDouble(), pair[1].GetString() switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        var text => double.Parse(text!, CultureInfo.InvariantCulture),
    });
}
