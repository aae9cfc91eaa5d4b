using System.Collections.Concurrent;
using Metrics.Gateway.Telemetry;
using Metrics.Model;

namespace Metrics.Gateway.Security;

/// <summary>Turns bearer tokens into identities by asking a Kubernetes API server, and keeps its answers for a while. Thread-safe.</summary>
/// <remarks>
/// Senders show the same token with every request, so an answer is kept for <see cref="TokenReviewOptions.Cache"/>, and requests that come while it is asked for wait for the one answer. What was refused is kept
/// for <see cref="RefusedFor"/>, apart, so that strangers can neither make us ask for the same token again and again nor push out those that are known. When the API server is away, known tokens go on until their time is up.
/// </remarks>
internal sealed partial class TokenReviewer : IDisposable
{
    /// <summary>Tokens of each kind that are kept; some hundred bytes each.</summary>
    private const int MaxKept = 10_000;

    /// <summary>Reviews under way at a time, and those that wait for their turn: strangers must not make us a burden to the API server.</summary>
    private const int MaxAsking = 16;
    private const int MaxWaiting = 512;

    /// <summary>How long a refusal holds. A token that is made may be used before all API servers know it.</summary>
    private static readonly TimeSpan RefusedFor = TimeSpan.FromSeconds(10);

    private readonly TokenReviewOptions options;
    private readonly TokenReviewClient client;
    private readonly TimeProvider time;
    private readonly SecurityInstruments instruments;
    private readonly ILogger logger;
    private readonly ConcurrentDictionary<string, Verdict> known = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Verdict> refused = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Lazy<Task<Identity?>>> asked = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim asking = new(MaxAsking);
    private int isAway;

    /// <summary>Makes it; the API server is first asked when a token comes.</summary>
    /// <exception cref="Configuration.ConfigurationException">The authorities can't be read.</exception>
    public TokenReviewer(TokenReviewOptions options, TimeProvider time, SecurityInstruments instruments, ILogger logger)
    {
        this.options = options;
        this.time = time;
        this.instruments = instruments;
        this.logger = logger;
        client = new TokenReviewClient(options);
    }

    /// <summary>Who shows a token; null when it is nobody's.</summary>
    /// <exception cref="AuthenticationUnavailableException">The API server does not say.</exception>
    public async ValueTask<Identity?> ReviewAsync(string token, CancellationToken cancellation)
    {
        var digest = AuthFile.DigestOf(token);
        if (Find(known, digest, out var identity) || Find(refused, digest, out identity))
        {
            return identity;
        }

        if (asked.Count >= MaxWaiting)
        {
            throw new AuthenticationUnavailableException("too many tokens wait for the Kubernetes API server");
        }

        // For all who show it, so not bound to one request.
        return await asked.GetOrAdd(digest, static (d, of) => new Lazy<Task<Identity?>>(() => of.Reviewer.AskAsync(d, of.Token)), (Reviewer: this, Token: token)).Value.WaitAsync(cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        client.Dispose();
        asking.Dispose();
    }

    private bool Find(ConcurrentDictionary<string, Verdict> verdicts, string digest, out Identity? identity)
    {
        var found = verdicts.TryGetValue(digest, out var verdict) && time.GetElapsedTime(verdict.At) < (verdicts == known ? options.Cache : RefusedFor);
        identity = found ? verdict.Identity : null;
        return found;
    }

    private async Task<Identity?> AskAsync(string digest, string token)
    {
        await asking.WaitAsync();
        try
        {
            var user = await client.ReviewAsync(token);
            var identity = user is null ? null : IdentityOf(user);
            Keep(identity is null ? refused : known, digest, identity);
            instruments.OnTokenReviewed(identity is null ? "refused" : "known");
            if (Interlocked.Exchange(ref isAway, 0) == 1)
            {
                LogBack(options.Url);
            }

            return identity;
        }
        catch (AuthenticationUnavailableException e)
        {
            instruments.OnTokenReviewed("unavailable");
            if (Interlocked.Exchange(ref isAway, 1) == 0)
            {
                LogAway(e.Message);
            }

            throw;
        }
        finally
        {
            asking.Release();
            asked.TryRemove(digest, out _);
        }
    }

    private void Keep(ConcurrentDictionary<string, Verdict> verdicts, string digest, Identity? identity)
    {
        if (verdicts.Count >= MaxKept)
        {
            foreach (var (old, _) in verdicts.Where(v => !Find(verdicts, v.Key, out _)).ToList())
            {
                verdicts.TryRemove(old, out _);
            }

            if (verdicts.Count >= MaxKept)
            {
                verdicts.Clear();
            }
        }

        verdicts[digest] = new Verdict(identity, time.GetTimestamp());
    }

    private Identity IdentityOf(KubernetesUser user)
    {
        var (read, write, isAdmin) = (TenantSet.None, TenantSet.None, false);
        foreach (var binding in options.Bindings.Where(b => b.Fits(user)))
        {
            (read, write, isAdmin) = (read.With(binding.Granted.Read), write.With(binding.Granted.Write), isAdmin || binding.Granted.IsAdmin);
        }

        if (user.ServiceAccount is var (space, _) && TenantId.TryParse(space, out var tenant, out _))
        {
            var own = TenantSet.Of([tenant]);
            (read, write) = (options.NamespaceMayRead ? read.With(own) : read, options.NamespaceMayWrite ? write.With(own) : write);
        }

        return new Identity(user.Name, read, write, isAdmin);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "tokens that are not known yet are answered with 503; {Reason}")]
    private partial void LogAway(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "the Kubernetes API server {Url} answers token reviews again")]
    private partial void LogBack(Uri url);

    private readonly record struct Verdict(Identity? Identity, long At);
}
