using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Security;

/// <summary>The keys that sign tokens: from a file, or from a URL, where they are fetched again every so often and when a token names one that is not known. Thread-safe.</summary>
/// <remarks>When they can't be fetched, those known stay. A token can't make us ask more often than every <see cref="RetryAfter"/>.</remarks>
internal sealed partial class JwksSource : IDisposable
{
    private static readonly TimeSpan RefreshAfter = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(15);

    private readonly JwtOptions options;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly HttpClient? http;
    private readonly SemaphoreSlim fetching = new(1, 1);
    private JsonWebKeys keys = JsonWebKeys.None;
    private long fetched;
    private bool hasTried;

    /// <summary>Reads the file; a URL is first asked when a token comes.</summary>
    /// <exception cref="ConfigurationException">The file is not in order.</exception>
    public JwksSource(JwtOptions options, TimeProvider time, ILogger logger)
    {
        this.options = options;
        this.time = time;
        this.logger = logger;
        if (options.JwksUrl is null)
        {
            keys = JsonWebKeys.Parse(options.JwksFile, File.ReadAllBytes(options.JwksFile));
        }
        else
        {
            http = new HttpClient { Timeout = TimeSpan.FromSeconds(10), MaxResponseContentBufferSize = JsonWebKeys.MaxBytes };
        }
    }

    /// <summary>The keys, among them that of the id if it can be had.</summary>
    public async ValueTask<JsonWebKeys> ForAsync(string keyId, CancellationToken cancellation)
    {
        var known = Volatile.Read(ref keys);
        if (http is null || !IsDue(known.Knows(keyId)))
        {
            return known;
        }

        await fetching.WaitAsync(cancellation);
        try
        {
            known = Volatile.Read(ref keys);
            if (IsDue(known.Knows(keyId)))
            {
                await FetchAsync(http);
            }

            return Volatile.Read(ref keys);
        }
        finally
        {
            fetching.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        http?.Dispose();
        fetching.Dispose();
    }

    private bool IsDue(bool isKnown) => !Volatile.Read(ref hasTried) || time.GetElapsedTime(Volatile.Read(ref fetched)) >= (isKnown ? RefreshAfter : RetryAfter);

    private async Task FetchAsync(HttpClient from)
    {
        try
        {
            // For all who wait, so not bound to one request.
            Volatile.Write(ref keys, JsonWebKeys.Parse(options.JwksUrl!.ToString(), await from.GetByteArrayAsync(options.JwksUrl, CancellationToken.None)));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or ConfigurationException)
        {
            LogFetchFailed(options.JwksUrl!, e.Message);
        }

        Volatile.Write(ref fetched, time.GetTimestamp());
        Volatile.Write(ref hasTried, true);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "keys of tokens can't be fetched from {Url}, those known stay: {Reason}")]
    private partial void LogFetchFailed(Uri url, string reason);
}
