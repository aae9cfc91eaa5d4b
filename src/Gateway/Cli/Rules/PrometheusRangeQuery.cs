using System.Globalization;
using System.Text.Json;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.Rules;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Gateway.Cli.Rules;

/// <summary>Range queries over a server's HTTP API, ours or Prometheus's.</summary>
internal sealed class PrometheusRangeQuery(HttpClient http, string tenant) : IRuleRangeQuery
{
    /// <inheritdoc/>
    /// <exception cref="IOException">The server can't be reached, or its answer is none.</exception>
    public async ValueTask<QueryResult> RangeAsync(string query, TimeGrid grid, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/v1/query_range")
        {
            Content = new FormUrlEncodedContent(
            [
                new("query", query), new("start", Seconds(grid.StartMs)), new("end", Seconds(grid.EndMs)), new("step", Seconds(grid.StepMs)),
            ]),
        };
        if (tenant.Length > 0)
        {
            request.Headers.Add("X-Scope-OrgID", tenant);
        }

        try
        {
            using var answer = await http.SendAsync(request, cancellation);
            using var json = JsonDocument.Parse(await answer.Content.ReadAsStreamAsync(cancellation));
            return Read(json.RootElement);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            throw new IOException($"query range: {e.Message}", e);
        }
    }

    private static QueryResult Read(JsonElement answer)
    {
        if (answer.GetProperty("status").GetString() != "success")
        {
            throw new QueryException(QueryErrorKind.Execution, $"query range: {answer.GetProperty("errorType").GetString()}: {answer.GetProperty("error").GetString()}");
        }

        var series = new List<ResultSeries>();
        foreach (var item in answer.GetProperty("data").GetProperty("result").EnumerateArray())
        {
            if (item.TryGetProperty("histograms", out _))
            {
                throw new FormatException("the result holds native histograms, which can't be backfilled");
            }

            var labels = new LabelsBuilder();
            foreach (var label in item.GetProperty("metric").EnumerateObject())
            {
                labels.Set(label.Name, label.Value.GetString() ?? "");
            }

            var points = new SampleBuffer();
            foreach (var point in item.GetProperty("values").EnumerateArray())
            {
                points.Add((long)Math.Round(point[0].GetDouble() * 1000), Number(point[1].GetString() ?? ""));
            }

            series.Add(new ResultSeries(labels.ToLabels(), points));
        }

        return new QueryResult { Type = ValueType.Matrix, Series = series };
    }

    private static double Number(string text) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        "NaN" => BitConverter.UInt64BitsToDouble(StaleMarker.NormalNaNBits),
        _ => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture),
    };

    private static string Seconds(long ms) => (ms / 1000m).ToString(CultureInfo.InvariantCulture);
}
