using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Metrics.Gateway.Configuration;
using Metrics.Model;

namespace Metrics.Gateway.Security;

/// <summary>Asks a Kubernetes API server whose a token is: <c>POST /apis/authentication.k8s.io/v1/tokenreviews</c>. Thread-safe.</summary>
/// <remarks>Redirects are not followed and proxies not asked, so that tokens go to the server named and nowhere else.</remarks>
internal sealed class TokenReviewClient : IDisposable
{
    private const string Path = "/apis/authentication.k8s.io/v1/tokenreviews";

    /// <summary>A user with many groups is some kilobytes.</summary>
    private const int MaxAnswerBytes = 1 << 20;

    /// <summary>A request waits for it, and its sender has a timeout of 30 s.</summary>
    private static readonly TimeSpan timeout = TimeSpan.FromSeconds(10);

    private readonly TokenReviewOptions options;
    private readonly Uri address;
    private readonly HttpClient http;

    /// <summary>Reads the authorities.</summary>
    /// <exception cref="ConfigurationException">They can't be read.</exception>
    public TokenReviewClient(TokenReviewOptions options)
    {
        this.options = options;
        address = new Uri(options.Url.AbsoluteUri.TrimEnd('/') + Path);
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) };
        if (options.CaFile.Length > 0 && options.Url.Scheme == Uri.UriSchemeHttps)
        {
            handler.SslOptions.CertificateChainPolicy = Authorities(options.CaFile);
        }

        http = new HttpClient(handler) { Timeout = timeout, MaxResponseContentBufferSize = MaxAnswerBytes };
    }

    /// <summary>Whose a token is; null when it is nobody's, or not made for us.</summary>
    /// <exception cref="AuthenticationUnavailableException">The API server does not say.</exception>
    public async Task<KubernetesUser?> ReviewAsync(string token)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new ByteArrayContent(Question(token)) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.Accept.ParseAdd("application/json");
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(options.TokenFile)).Trim());
            using var answer = await http.SendAsync(request);
            if (!answer.IsSuccessStatusCode)
            {
                throw new AuthenticationUnavailableException($"the Kubernetes API server {options.Url} answered {(int)answer.StatusCode} to a token review");
            }

            using var review = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(), new JsonDocumentOptions { MaxDepth = 32 });
            return UserOf(review.RootElement);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException or UnauthorizedAccessException or FormatException)
        {
            throw new AuthenticationUnavailableException($"the Kubernetes API server {options.Url} can't be asked: {e.Message}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new AuthenticationUnavailableException($"the Kubernetes API server {options.Url} answered what is no token review");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    private byte[] Question(string token) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        apiVersion = "authentication.k8s.io/v1",
        kind = "TokenReview",
        spec = new { token, audiences = options.Audiences.Count > 0 ? options.Audiences : null },
    });

    /// <summary>The user of an answer. An authenticator that does not know of audiences names none, and then the token is not known to be for us.</summary>
    private KubernetesUser? UserOf(JsonElement review)
    {
        var status = review.GetProperty("status");
        if (!status.TryGetProperty("authenticated", out var authenticated) || !authenticated.GetBoolean())
        {
            return null;
        }

        if (options.Audiences.Count > 0 && !TextsOf(status, "audiences").Intersect(options.Audiences, StringComparer.Ordinal).Any())
        {
            return null;
        }

        var user = status.GetProperty("user");
        return new KubernetesUser(user.GetProperty("username").GetString() ?? "", TextsOf(user, "groups"));
    }

    private static List<string> TextsOf(JsonElement of, string name) =>
        of.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Select(static t => t.GetString() ?? "")] : [];

    private static X509ChainPolicy Authorities(string caFile)
    {
        try
        {
            return PemFile.Authorities(caFile);
        }
        catch (IOException e)
        {
            throw new ConfigurationException($"token_review: ca_file {e.Message}");
        }
    }
}
