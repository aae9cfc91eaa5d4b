using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Telemetry;
using Metrics.Model;

namespace Metrics.Gateway.Security;

/// <summary>Finds out who calls, from what they show: a password, a bearer token or a client certificate. Thread-safe; what the auth file says can be taken anew at any time.</summary>
internal sealed class Authenticator : IDisposable
{
    private readonly SecurityOptions options;
    private readonly TimeProvider time;
    private readonly SecurityInstruments instruments;
    private readonly ILogger<Authenticator> logger;

    // Deriving a hash takes a good part of a second of a processor: strangers must not take them all.
    private readonly SemaphoreSlim deriving = new(Math.Max(1, Environment.ProcessorCount / 2));
    private readonly byte[] sessionKey = RandomNumberGenerator.GetBytes(32);
    private InForce? inForce;

    /// <summary>Reads the auth file, if there is one.</summary>
    /// <exception cref="ConfigurationException">The file is not in order.</exception>
    public Authenticator(SecurityOptions options, TimeProvider time, SecurityInstruments instruments, ILogger<Authenticator> logger)
    {
        this.options = options;
        this.time = time;
        this.instruments = instruments;
        this.logger = logger;
        Reload();
    }

    /// <summary>False when nobody is asked who they are.</summary>
    public bool IsEnabled => Volatile.Read(ref inForce) is not null;

    /// <summary>What <c>WWW-Authenticate</c> says with 401.</summary>
    public string Challenge => Volatile.Read(ref inForce)?.Credentials.Users.Count > 0 ? "Basic realm=\"metrics\"" : "Bearer";

    /// <summary>The files that credentials come from.</summary>
    public IReadOnlyList<string> Files => Volatile.Read(ref inForce)?.Credentials.Files ?? (options.AuthFile.Length > 0 ? [options.AuthFile] : []);

    /// <summary>Takes the auth file anew.</summary>
    /// <exception cref="ConfigurationException">It is not in order; what was in force stays.</exception>
    public void Reload()
    {
        if (options.AuthFile.Length == 0)
        {
            return;
        }

        var credentials = AuthFile.Read(options.AuthFile);
        var keys = credentials.Jwt is { } jwt ? new JwksSource(jwt, time, logger) : null;
        var reviewer = credentials.TokenReview is { } review ? new TokenReviewer(review, time, instruments, logger) : null;
        var old = Interlocked.Exchange(ref inForce, new InForce(credentials, keys, keys is null ? null : new JwtValidator(credentials.Jwt!, keys, time), reviewer));

        // The clients of the old one are left to the collector: requests may be using it.
        GC.KeepAlive(old);
    }

    /// <summary>Who calls; null when they do not say, or what they show is not known. Credentials that are wrong are never made up for by others that are right.</summary>
    /// <exception cref="AuthenticationUnavailableException">That can't be found out now.</exception>
    public async ValueTask<Identity?> AuthenticateAsync(HttpContext context)
    {
        if (Volatile.Read(ref inForce) is not { } now)
        {
            return Identity.Anyone;
        }

        var headers = context.Request.Headers.Authorization;
        if (headers.Count == 0)
        {
            return context.Connection.ClientCertificate is { } certificate ? IdentityOf(certificate, now.Credentials) : null;
        }

        if (headers.Count > 1 || !AuthenticationHeaderValue.TryParse(headers[0], out var header) || header.Parameter is not { } shown)
        {
            return null;
        }

        return header.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase) ? await OfPasswordAsync(shown, now, context.RequestAborted)
            : header.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase) ? await OfTokenAsync(shown, now, context.RequestAborted)
            : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        var last = Volatile.Read(ref inForce);
        last?.Keys?.Dispose();
        last?.Reviewer?.Dispose();
        deriving.Dispose();
    }

    private async ValueTask<Identity?> OfPasswordAsync(string shown, InForce now, CancellationToken cancellation)
    {
        var bytes = new byte[shown.Length];
        if (!Convert.TryFromBase64String(shown, bytes, out var length) || Encoding.UTF8.GetString(bytes, 0, length) is var pair && pair.IndexOf(':') is var colon && colon < 0)
        {
            return null;
        }

        var (user, password) = (pair[..colon], pair[(colon + 1)..]);
        var isKnown = now.Credentials.Users.TryGetValue(user, out var found);

        // Passwords are shown with every request; one that was right is known by a keyed hash from then on.
        var session = HMACSHA256.HashData(sessionKey, Encoding.UTF8.GetBytes(pair));
        if (isKnown && now.Sessions.TryGetValue(user, out var seen) && CryptographicOperations.FixedTimeEquals(seen, session))
        {
            return found.Identity;
        }

        await deriving.WaitAsync(cancellation);
        try
        {
            if (!(isKnown ? found.Password : PasswordHash.OfNobody).Matches(password) || !isKnown)
            {
                return null;
            }
        }
        finally
        {
            deriving.Release();
        }

        now.Sessions[user] = session;
        return found.Identity;
    }

    private static async ValueTask<Identity?> OfTokenAsync(string token, InForce now, CancellationToken cancellation)
    {
        if (now.Credentials.Tokens.TryGetValue(AuthFile.DigestOf(token), out var identity))
        {
            return identity;
        }

        if (now.Jwt is not null && JwtValidator.IsCandidate(token) && await now.Jwt.ValidateAsync(token, cancellation) is { } claimed)
        {
            return claimed;
        }

        return now.Reviewer is null ? null : await now.Reviewer.ReviewAsync(token, cancellation);
    }

    private static Identity? IdentityOf(X509Certificate2 certificate, Credentials credentials)
    {
        var commonName = FieldOf(certificate, "2.5.4.3");
        if (commonName is not null && credentials.CommonNames.TryGetValue(commonName, out var identity))
        {
            return identity;
        }

        if (credentials.Certificates is not { } tenants || FieldOf(certificate, tenants.FieldOid) is not { } field || !TenantId.TryParse(field, out var tenant, out _))
        {
            return null;
        }

        var own = TenantSet.Of([tenant]);
        return new Identity(commonName ?? field, tenants.MayRead ? own : TenantSet.None, tenants.MayWrite ? own : TenantSet.None, IsAdmin: false);
    }

    /// <summary>The only attribute of that kind in the subject; null for none, and for several, of which a choice would be a guess.</summary>
    private static string? FieldOf(X509Certificate2 certificate, string oid)
    {
        string? found = null;
        foreach (var part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (part.HasMultipleElements || part.GetSingleElementType().Value != oid)
            {
                continue;
            }

            if (found is not null)
            {
                return null;
            }

            found = part.GetSingleElementValue();
        }

        return found;
    }

    /// <summary>What one reading of the auth file brought.</summary>
    private sealed record InForce(Credentials Credentials, JwksSource? Keys, JwtValidator? Jwt, TokenReviewer? Reviewer)
    {
        /// <summary>Passwords that were right, by user: keyed hashes of what was shown.</summary>
        public ConcurrentDictionary<string, byte[]> Sessions { get; } = new(StringComparer.Ordinal);
    }
}
