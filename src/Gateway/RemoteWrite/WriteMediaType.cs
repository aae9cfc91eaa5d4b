using Microsoft.Net.Http.Headers;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>What a write may be encoded as. Rules: prometheus.io/docs/specs/prw/remote_write_spec_2_0, content negotiation.</summary>
internal static class WriteMediaType
{
    private const string V1 = "prometheus.WriteRequest";
    private const string V2 = "io.prometheus.write.v2.Request";

    /// <summary>The protocol that the headers name; an absent one means remote write 1.0, as old senders take for granted.</summary>
    /// <exception cref="WriteRefusal">415: another message or compression.</exception>
    public static WriteProtocol Of(IHeaderDictionary headers)
    {
        var protocol = WriteProtocol.V1;
        var contentType = headers.ContentType.ToString();

        // Fast path: what Prometheus sends.
        if (contentType is not ("application/x-protobuf" or ""))
        {
            protocol = OfContentType(contentType);
        }

        var encoding = headers.ContentEncoding.ToString();
        if (encoding.Length > 0 && !encoding.Equals("snappy", StringComparison.OrdinalIgnoreCase))
        {
            throw Unsupported($"{encoding} encoding (compression) is not accepted by this server; only snappy (block format) is acceptable");
        }

        return protocol;
    }

    private static WriteProtocol OfContentType(string contentType)
    {
        if (!MediaTypeHeaderValue.TryParse(contentType, out var media) || !media.MediaType.Equals("application/x-protobuf", StringComparison.OrdinalIgnoreCase))
        {
            throw Unsupported($"{contentType} content type is not accepted by this server; only application/x-protobuf is acceptable");
        }

        var proto = media.Parameters.FirstOrDefault(p => p.Name.Equals("proto", StringComparison.OrdinalIgnoreCase))?.GetUnescapedValue().Value;
        return proto switch
        {
            null or V1 => WriteProtocol.V1,
            V2 => WriteProtocol.V2,
            _ => throw Unsupported($"{proto} protobuf message is not accepted by this server; only {V1} and {V2} are acceptable"),
        };
    }

    private static WriteRefusal Unsupported(string message) => new(StatusCodes.Status415UnsupportedMediaType, message);
}

/// <summary>The message of a write.</summary>
internal enum WriteProtocol
{
    /// <summary>Remote write 1.0.</summary>
    V1,

    /// <summary>Remote write 2.0.</summary>
    V2,
}
