using System.Text.Json;

namespace Metrics.EndToEnd.Programs;

/// <summary>Calls of the Prometheus HTTP API, ours or theirs.</summary>
internal static class PrometheusApi
{
    public static async Task<JsonElement> GetAsync(HttpClient http, Uri address, string? tenant = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (tenant is not null)
        {
            request.Headers.Add("X-Scope-OrgID", tenant);
        }

        using var answer = await http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        if (!answer.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"{address} answered {(int)answer.StatusCode}: {text}");
        }

        return JsonDocument.Parse(text).RootElement;
    }

    public static Task<JsonElement> QueryAsync(HttpClient http, Uri server, string query, double time) =>
        GetAsync(http, new Uri(server, $"api/v1/query?query={Uri.EscapeDataString(query)}&time={time:F3}"));

    public static Task<JsonElement> QueryRangeAsync(HttpClient http, Uri server, string query, double start, double end, double step) =>
        GetAsync(http, new Uri(server, $"api/v1/query_range?query={Uri.EscapeDataString(query)}&start={start:F3}&end={end:F3}&step={step:R}"));

    /// <summary>The result as text lines "labels time value", sorted, so that two answers can be compared whatever their order.</summary>
    public static Dictionary<string, List<(double Time, double Value)>> Points(JsonElement answer)
    {
        var data = answer.GetProperty("data");
        var result = data.GetProperty("result");
        var points = new Dictionary<string, List<(double, double)>>(StringComparer.Ordinal);
        switch (data.GetProperty("resultType").GetString())
        {
            case "scalar":
                points[""] = [Point(result)];
                break;
            case "vector":
                foreach (var series in result.EnumerateArray())
                {
                    points.Add(Key(series), [Point(series.GetProperty("value"))]);
                }

                break;
            case "matrix":
                foreach (var series in result.EnumerateArray())
                {
                    points.Add(Key(series), [.. series.GetProperty("values").EnumerateArray().Select(Point)]);
                }

                break;
            default:
                throw new InvalidDataException($"unexpected result: {answer}");
        }

        return points;
    }

    private static (double Time, double Value) Point(JsonElement pair) =>
        (pair[0].GetDouble(), pair[1].GetString() switch
        {
            "NaN" => double.NaN,
            "+Inf" => double.PositiveInfinity,
            "-Inf" => double.NegativeInfinity,
            var text => double.Parse(text!),
        });

    private static string Key(JsonElement series) =>
        string.Join(",", series.GetProperty("metric").EnumerateObject().Select(l => $"{l.Name}={l.Value}").Order(StringComparer.Ordinal));
}
