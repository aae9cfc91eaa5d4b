using System.Net.Http.Headers;
using System.Text;

namespace Metrics.TenantBench;

/// <summary>What one tenant's programs send, over connections of their own. Thread-safe.</summary>
internal sealed class TenantClient(Uri server, string tenant, int connections, bool mayCache = false) : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { MaxConnectionsPerServer = connections, PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2) }) { Timeout = TimeSpan.FromMinutes(3) };

    /// <summary>Its tenant.</summary>
    public string Tenant => tenant;

    /// <summary>Sends a remote write; gives the status and what was said with one that is no success.</summary>
    public Task<(int Status, string Text)> WriteAsync(ReadOnlyMemory<byte> body) => SendAsync(HttpMethod.Post, "api/v1/write", "application/x-protobuf", body, "snappy");

    /// <summary>Asks.</summary>
    public Task<(int Status, string Text)> GetAsync(string pathAndQuery) => SendAsync(HttpMethod.Get, pathAndQuery, null, default, null);

    /// <summary>Sends any request; reads the whole answer.</summary>
    public async Task<(int Status, string Text)> SendAsync(HttpMethod method, string pathAndQuery, string? contentType, ReadOnlyMemory<byte> body, string? encoding)
    {
        using var request = new HttpRequestMessage(method, new Uri(server, pathAndQuery));
        request.Headers.Add("X-Scope-OrgID", tenant);
        request.Headers.CacheControl = new CacheControlHeaderValue { NoStore = !mayCache }; // What is measured is asking, not remembering.
        if (contentType is not null)
        {
            request.Content = new ReadOnlyMemoryContent(body);
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
            if (encoding is not null)
            {
                request.Content.Headers.ContentEncoding.Add(encoding);
            }
        }

        // Answers may be large: they are read and dropped, save for errors.
        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (!answer.IsSuccessStatusCode)
        {
            var text = await answer.Content.ReadAsStringAsync();
            return ((int)answer.StatusCode, text[..Math.Min(text.Length, 300)]);
        }

        await answer.Content.CopyToAsync(Stream.Null);
        return ((int)answer.StatusCode, "");
    }

    /// <summary>The text of an answer.</summary>
    public Task<string> TextAsync(string pathAndQuery) => http.GetStringAsync(new Uri(server, pathAndQuery));

    /// <summary>Sends text.</summary>
    public Task<(int Status, string Text)> PostAsync(string pathAndQuery, string contentType, string text) => SendAsync(HttpMethod.Post, pathAndQuery, contentType, Encoding.UTF8.GetBytes(text), null);

    public void Dispose() => http.Dispose();
}
