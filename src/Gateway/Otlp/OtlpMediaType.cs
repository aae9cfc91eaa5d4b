using Metrics.Gateway.RemoteWrite;
using Microsoft.Net.Http.Headers;

namespace Metrics.Gateway.Otlp;

/// <summary>What an OTLP request may be encoded as. Rules: opentelemetry.io/docs/specs/otlp, OTLP/HTTP.</summary>
internal static class OtlpMediaType
{
    public const string Protobuf = "application/x-protobuf";
    public const string Json = "application/json";

    /// <summary>True when the body is JSON, false when it is protobuf.</summary>
    /// <exception cref="WriteRefusal">415: neither.</exception>
    public static bool IsJson(IHeaderDictionary headers)
    {
        var contentType = headers.ContentType.ToString();
        if (MediaTypeHeaderValue.TryParse(contentType, out var media))
        {
            if (media.MediaType.Equals(Protobuf, StringComparison.OrdinalIgnoreCase))
            {
                return false;
            }

            if (media.MediaType.Equals(Json, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        throw Unsupported($"content type \"{contentType}\" is not accepted; only {Protobuf} and {Json} are");
    }

    /// <summary>True when the body is compressed with gzip.</summary>
    /// <exception cref="WriteRefusal">415: with something else.</exception>
    public static bool IsGzip(IHeaderDictionary headers) => headers.ContentEncoding.ToString() switch
    {
        "" or "identity" => false,
        "gzip" => true,
        var other => throw Unsupported($"content encoding \"{other}\" is not accepted; only gzip and identity are"),
    };

    private static WriteRefusal Unsupported(string message) => new(StatusCodes.Status415UnsupportedMediaType, message);
}
