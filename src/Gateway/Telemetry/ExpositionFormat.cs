namespace Metrics.Gateway.Telemetry;

/// <summary>The formats of <c>/metrics</c>.</summary>
internal enum ExpositionFormat
{
    /// <summary>Prometheus's text 0.0.4.</summary>
    Text,

    /// <summary>OpenMetrics 1.0, with exemplars.</summary>
    OpenMetrics,

    /// <summary>Prometheus's protobuf, with native histograms and exemplars.</summary>
    Protobuf,
}

/// <summary>Chooses the format by what the scraper accepts.</summary>
internal static class ExpositionChoice
{
    private const string ProtobufType = "application/vnd.google.protobuf";
    private const string OpenMetricsType = "application/openmetrics-text";

    /// <summary>The content type of a format.</summary>
    public static string ContentType(ExpositionFormat format) => format switch
    {
        ExpositionFormat.OpenMetrics => OpenMetricsType + "; version=1.0.0; charset=utf-8",
        ExpositionFormat.Protobuf => ProtobufType + "; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        _ => "text/plain; version=0.0.4; charset=utf-8",
    };

    /// <summary>What is accepted most gladly of what we have, of two alike the richer; text when nothing is, as every scraper reads it.</summary>
    public static ExpositionFormat Of(HttpRequest request)
    {
        var (protobuf, open, text) = (0.0, 0.0, 0.0);
        foreach (var range in request.GetTypedHeaders().Accept)
        {
            var quality = range.Quality ?? 1;
            if (range.MediaType.Equals(ProtobufType, StringComparison.OrdinalIgnoreCase))
            {
                var isOurs = Parameter(range, "proto") == "io.prometheus.client.MetricFamily" && Parameter(range, "encoding") == "delimited";
                protobuf = isOurs ? Math.Max(protobuf, quality) : protobuf;
            }
            else if (range.MediaType.Equals(OpenMetricsType, StringComparison.OrdinalIgnoreCase))
            {
                open = Parameter(range, "version") is null or "1.0.0" ? Math.Max(open, quality) : open;
            }
            else if (range.MediaType.Equals("text/plain", StringComparison.OrdinalIgnoreCase))
            {
                text = Math.Max(text, quality);
            }
        }

        return protobuf > 0 && protobuf >= open && protobuf >= text ? ExpositionFormat.Protobuf
            : open > 0 && open >= text ? ExpositionFormat.OpenMetrics
            : ExpositionFormat.Text;
    }

    private static string? Parameter(Microsoft.Net.Http.Headers.MediaTypeHeaderValue range, string name) =>
        range.Parameters.FirstOrDefault(p => p.Name.Equals(name, StringComparison.OrdinalIgnoreCase))?.Value.Value?.Trim('"');
}
