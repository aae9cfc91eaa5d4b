using System.Globalization;
using System.Text.Json;
using Metrics.Gateway.Cli.Tsdb;
using Metrics.Model;

namespace Metrics.Gateway.Cli.Migrate;

/// <summary>VictoriaMetrics' <c>/api/v1/export</c>: a line of JSON a series, <c>{"metric":{...},"values":[...],"timestamps":[...]}</c>, times in milliseconds.</summary>
/// <remarks>Its <c>null</c> among values stands for NaN, of which it keeps stale markers; infinities are texts, or bare <c>+Inf</c> and <c>-Inf</c>, which is no JSON, in older versions.</remarks>
internal sealed class VictoriaMetricsExport(HttpClient http) : ISampleSource
{
    /// <inheritdoc/>
    public async Task ReadAsync(string selector, TimeRange range, SeriesCollection into, CancellationToken cancellation)
    {
        var query = $"api/v1/export?match[]={Uri.EscapeDataString(selector)}&start={Seconds(range.MinMs)}&end={Seconds(range.MaxMs)}";
        try
        {
            using var answer = await http.GetAsync(new Uri(query, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, cancellation);
            if (!answer.IsSuccessStatusCode)
            {
                throw new IOException($"{http.BaseAddress} answered {(int)answer.StatusCode}: {(await answer.Content.ReadAsStringAsync(cancellation)).Trim()}");
            }

            using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(cancellation));
            using var samples = new SampleBuffer();
            while (await lines.ReadLineAsync(cancellation) is { } line)
            {
                if (line.Length > 0)
                {
                    Read(line, range, samples, into);
                }
            }
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or KeyNotFoundException or FormatException or InvalidOperationException)
        {
            throw new IOException($"{http.BaseAddress}{query}: {e.Message}", e);
        }
    }

    private static void Read(string line, TimeRange range, SampleBuffer samples, SeriesCollection into)
    {
        using var series = JsonDocument.Parse(AsJson(line));
        var labels = new LabelsBuilder();
        foreach (var label in series.RootElement.GetProperty("metric").EnumerateObject())
        {
            labels.Set(label.Name, label.Value.GetString() ?? "");
        }

        var (values, times) = (series.RootElement.GetProperty("values"), series.RootElement.GetProperty("timestamps"));
        if (values.GetArrayLength() != times.GetArrayLength())
        {
            throw new FormatException($"{values.GetArrayLength()} values at {times.GetArrayLength()} times");
        }

        samples.Clear();
        foreach (var (time, value) in times.EnumerateArray().Zip(values.EnumerateArray()))
        {
            var timeMs = time.GetInt64();
            if (range.Contains(timeMs) && (samples.Count == 0 || samples.Times[^1] < timeMs))
            {
                samples.Add(timeMs, Number(value));
            }
            else if (samples.Count > 0 && samples.Times[^1] > timeMs)
            {
                throw new FormatException("times do not ascend");
            }
        }

        if (samples.Count > 0)
        {
            into.Merge(labels.ToLabels(), samples);
        }
    }

    /// <summary>The line with bare infinities and NaNs among its values as JSON has them. Quotes in labels are escaped, so what looks like the beginning of the values is it.</summary>
    private static string AsJson(string line)
    {
        const string Begin = "\"values\":[";
        var start = line.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        var end = start < Begin.Length ? -1 : line.IndexOf(']', start);
        if (end < 0 || line.AsSpan(start, end - start).IndexOfAny('I', 'N') < 0)
        {
            return line;
        }

        var values = line[start..end].Split(',').Select(static v => v.Trim() switch { "+Inf" or "Inf" => "\"Infinity\"", "-Inf" => "\"-Infinity\"", "NaN" => "null", var other => other });
        return $"{line[..start]}{string.Join(',', values)}{line[end..]}";
    }

    private static double Number(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => StaleMarker.Value,
        JsonValueKind.String => value.GetString() switch
        {
            "Infinity" => double.PositiveInfinity,
            "-Infinity" => double.NegativeInfinity,
            var text => double.Parse(text!, NumberStyles.Float, CultureInfo.InvariantCulture),
        },
        _ => value.GetDouble(),
    };

    private static string Seconds(long ms) => (ms / 1000m).ToString(CultureInfo.InvariantCulture);
}
