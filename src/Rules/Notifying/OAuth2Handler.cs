using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Metrics.Rules.Notifying;

/// <summary>Shows a token with every request, got with client credentials and kept until shortly before its end. Thread-safe.</summary>
/// <remarks>
/// Credentials go as <c>Basic</c>, which servers must take (RFC 6749, section 2.3.1); to a server that refuses that, in the form, from then on. A token that is refused with 401 is forgotten, so that the next request gets a new one.
/// </remarks>
internal sealed class OAuth2Handler : DelegatingHandler
{
    /// <summary>A token is a few kilobytes.</summary>
    private const int AnswerBytesMax = 1 << 20;

    /// <summary>How long before its end a token is not used any more.</summary>
    private static readonly TimeSpan spare = TimeSpan.FromSeconds(10);

    private readonly OAuth2Options options;
    private readonly TimeProvider time;
    private readonly HttpClient giver;
    private readonly SemaphoreSlim fetching = new(1, 1);
    private volatile Token? current;
    private volatile bool putsInForm;

    /// <summary>Makes it.</summary>
    /// <param name="options">How tokens are got.</param>
    /// <param name="toGiver">Connections to the tokens' giver; this handler's from now on.</param>
    /// <param name="toServer">Connections to the servers; this handler's from now on.</param>
    /// <param name="time">The clock.</param>
    public OAuth2Handler(OAuth2Options options, HttpMessageHandler toGiver, HttpMessageHandler toServer, TimeProvider time)
        : base(toServer)
    {
        this.options = options;
        this.time = time;
        giver = new HttpClient(toGiver) { MaxResponseContentBufferSize = AnswerBytesMax };
    }

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var token = await TokenAsync(cancellationToken);
        request.Headers.Authorization = token.Header;
        var answer = await base.SendAsync(request, cancellationToken);
        if (answer.StatusCode == System.Net.HttpStatusCode.Unauthorized && current == token)
        {
            current = null;
        }

        return answer;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            giver.Dispose();
            fetching.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task<Token> TokenAsync(CancellationToken cancellation)
    {
        if (current is { } known && time.GetUtcNow() < known.End)
        {
            return known;
        }

        await fetching.WaitAsync(cancellation);
        try
        {
            if (current is { } other && time.GetUtcNow() < other.End)
            {
                return other;
            }

            var fetched = await FetchAsync(cancellation);
            current = fetched;
            return fetched;
        }
        finally
        {
            fetching.Release();
        }
    }

    private async Task<Token> FetchAsync(CancellationToken cancellation)
    {
        var secret = options.ClientSecret();
        if (!putsInForm)
        {
            using var answer = await AskAsync(secret, isInForm: false, cancellation);
            if ((int)answer.StatusCode is not (400 or 401))
            {
                return await ReadAsync(answer, cancellation);
            }
        }

        using var again = await AskAsync(secret, isInForm: true, cancellation);
        var token = await ReadAsync(again, cancellation);
        putsInForm = true;
        return token;
    }

    private async Task<HttpResponseMessage> AskAsync(string secret, bool isInForm, CancellationToken cancellation)
    {
        var form = new List<KeyValuePair<string, string>> { new("grant_type", "client_credentials") };
        if (options.Scopes.Count > 0)
        {
            form.Add(new("scope", string.Join(' ', options.Scopes)));
        }

        form.AddRange(options.EndpointParameters);
        using var request = new HttpRequestMessage(HttpMethod.Post, options.TokenUrl);
        if (isInForm)
        {
            form.Add(new("client_id", options.ClientId));
            form.Add(new("client_secret", secret));
        }
        else
        {
            var pair = $"{Uri.EscapeDataString(options.ClientId)}:{Uri.EscapeDataString(secret)}";
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes(pair)));
        }

        request.Content = new FormUrlEncodedContent(form);
        return await giver.SendAsync(request, cancellation);
    }

    private async Task<Token> ReadAsync(HttpResponseMessage answer, CancellationToken cancellation)
    {
        if (!answer.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"no token from {options.TokenUrl}: bad response status {(int)answer.StatusCode} {answer.ReasonPhrase}", null, answer.StatusCode);
        }

        try
        {
            using var json = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(cancellation), new JsonDocumentOptions { MaxDepth = 8 });
            var (text, type) = (json.RootElement.GetProperty("access_token").GetString(), json.RootElement.TryGetProperty("token_type", out var t) ? t.GetString() : null);
            if (string.IsNullOrEmpty(text))
            {
                throw new HttpRequestException($"no token from {options.TokenUrl}: it is empty");
            }

            // Without an end it holds until it is refused.
            var end = json.RootElement.TryGetProperty("expires_in", out var seconds) && seconds.TryGetDouble(out var lasts) && lasts is > 0 and < 1e9 ? time.GetUtcNow() + TimeSpan.FromSeconds(lasts) - spare : DateTimeOffset.MaxValue;
            return new Token(new AuthenticationHeaderValue(string.IsNullOrEmpty(type) || type.Equals("bearer", StringComparison.OrdinalIgnoreCase) ? "Bearer" : type, text), end);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new HttpRequestException($"no token from {options.TokenUrl}: {e.Message}", e);
        }
    }

    private sealed record Token(AuthenticationHeaderValue Header, DateTimeOffset End);
}
