namespace Metrics.Rules.Notifying;

/// <summary>How a token is got with client credentials (RFC 6749, section 4.4); Prometheus's <c>oauth2</c>.</summary>
public sealed record OAuth2Options
{
    /// <summary>Who we are.</summary>
    public string ClientId { get; init; } = "";

    /// <summary>The secret that shows it; read anew for each token.</summary>
    public Func<string> ClientSecret { get; init; } = static () => "";

    /// <summary>Where tokens are given.</summary>
    public Uri TokenUrl { get; init; } = new("http://localhost/");

    /// <summary>What the token is to be good for.</summary>
    public IReadOnlyList<string> Scopes { get; init; } = [];

    /// <summary>More that the token's giver wants to know.</summary>
    public IReadOnlyDictionary<string, string> EndpointParameters { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>How TLS is done with the token's giver.</summary>
    public TlsOptions Tls { get; init; } = new();
}
