using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Metrics.Gateway.Tests.Otlp;

/// <summary>Sends OTLP requests.</summary>
internal static class OtlpWrite
{
    public const string Path = "/api/v1/otlp/v1/metrics";

    public static async Task<(HttpStatusCode Status, byte[] Body, string Type)> SendAsync(GatewayApp app, byte[] body, string type = "application/x-protobuf", string encoding = "", string path = Path)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        if (encoding.Length > 0)
        {
            content.Headers.ContentEncoding.Add(encoding);
        }

        using var response = await app.AskAsync(HttpMethod.Post, path, content);
        return (response.StatusCode, await response.Content.ReadAsByteArrayAsync(), response.Content.Headers.ContentType?.MediaType ?? "");
    }

    public static async Task<(HttpStatusCode Status, string Body, string Type)> SendJsonAsync(GatewayApp app, string json)
    {
        var (status, body, type) = await SendAsync(app, Encoding.UTF8.GetBytes(json), "application/json");
        return (status, Encoding.UTF8.GetString(body), type);
    }

    public static byte[] Gzip(byte[] bytes)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(bytes);
        }

        return packed.ToArray();
    }
}
