using Microsoft.Net.Http.Headers;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>What a write may be encoded as. Rules: prometheus.io/docs/specs/prw/remote_write_spec_2_0, content negotiation.</summary>
internal static class WriteMediaType
{
    private const string V1 = "prometheus.WriteRequest";
    private const string V2 = "io.prometheus.write.v2.Request";

    /// <summary>Checks the headers; an absent one means remote write 1.0, as old senders take for granted.</summary>
    /// <exception cref="WriteRefusal">415: another message or compression.</exception>
    public static void Check(IHeaderDictionary headers)
    {
        var contentType = headers.ContentType.ToString();

        // Fast path: what Prometheus sends.
        if (contentType is not ("application/x-protobuf" or ""))
        {
            CheckContentType(contentType);
        }

        var encoding = headers.ContentEncoding.ToString();
        if (encoding.Length > 0 && !encoding.Equals("snappy", StringComparison.OrdinalIgnoreCase))
        {
            throw Unsupported($"{encoding} encoding (compression) is not accepted by this server; only snappy (block format) is acceptable");
        }
    }

    private static void CheckContentType(string contentType)
    {
        if (!MediaTypeHeaderValue.TryParse(contentType, out var media) || !media.MediaType.Equals("application/x-protobuf", StringComparison.OrdinalIgnoreCase))
        {
            throw Unsupported($"{contentType} content type is not accepted by this server; only application/x-protobuf is acceptable");
        }

        var proto = media.Parameters.FirstOrDefault(p => p.Name.Equals("proto", StringComparison.OrdinalIgnoreCase))?.GetUnescapedValue().Value;
        if (proto == V2)
        {
            throw Unsupported($"{V2} (remote write 2.0) is not accepted by this server; only {V1} (remote write 1.0) is acceptable");
        }

        if (proto is not (null or V1))
        {
            throw Unsupported($"{proto} protobuf message is not accepted by this server; only {V1} is acceptable");
        }
    }

    private static WriteRefusal Unsupported(string message) => new(StatusCodes.Status415UnsupportedMediaType, message);
}
