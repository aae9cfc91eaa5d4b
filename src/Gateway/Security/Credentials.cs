namespace Metrics.Gateway.Security;

/// <summary>Everyone who may call, by what they show; what an <see cref="AuthFile"/> says. Not changed once made.</summary>
internal sealed class Credentials
{
    /// <summary>Users by name, with their passwords.</summary>
    public required IReadOnlyDictionary<string, (PasswordHash Password, Identity Identity)> Users { get; init; }

    /// <summary>Bearer tokens by the SHA-256 of their bytes, in hex: the tokens themselves are not kept.</summary>
    public required IReadOnlyDictionary<string, Identity> Tokens { get; init; }

    /// <summary>Client certificates by the common name of their subject.</summary>
    public required IReadOnlyDictionary<string, Identity> CommonNames { get; init; }

    /// <summary>How other client certificates name their tenant; null when they do not.</summary>
    public CertificateTenant? Certificates { get; init; }

    /// <summary>Which JSON web tokens are taken; null for none.</summary>
    public JwtOptions? Jwt { get; init; }

    /// <summary>How tokens are shown to a Kubernetes API server; null when they are not.</summary>
    public TokenReviewOptions? TokenReview { get; init; }

    /// <summary>The files that this came from, for the watch.</summary>
    public required IReadOnlyList<string> Files { get; init; }
}

/// <summary>How a client certificate names its tenant.</summary>
/// <param name="FieldOid">The attribute of the subject, as an OID.</param>
/// <param name="MayRead">Whether such a caller may read the tenant.</param>
/// <param name="MayWrite">Whether such a caller may write to it.</param>
internal sealed record CertificateTenant(string FieldOid, bool MayRead, bool MayWrite);

/// <summary>Which JSON web tokens are taken, and what their claims mean.</summary>
internal sealed record JwtOptions
{
    /// <summary>The file of keys (RFC 7517); or <see cref="JwksUrl"/>.</summary>
    public string JwksFile { get; init; } = "";

    /// <summary>Where keys are fetched.</summary>
    public Uri? JwksUrl { get; init; }

    /// <summary>What <c>iss</c> must be; empty for anything.</summary>
    public string Issuer { get; init; } = "";

    /// <summary>What <c>aud</c> must name; empty for anything.</summary>
    public string Audience { get; init; } = "";

    /// <summary>The claim with the tenants, a text or a list; dots lead into objects.</summary>
    public string TenantsClaim { get; init; } = "tenants";

    /// <summary>The claim with the roles <c>read</c>, <c>write</c> and <c>admin</c>; empty: everyone may read and write.</summary>
    public string RolesClaim { get; init; } = "";

    /// <summary>The claim with the name, for logs.</summary>
    public string NameClaim { get; init; } = "sub";
}
