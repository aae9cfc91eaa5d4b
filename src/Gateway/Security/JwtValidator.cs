using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Metrics.Model;

namespace Metrics.Gateway.Security;

/// <summary>Turns a JSON web token (RFC 7519) into an identity: signature, time, issuer and audience must be in order. Thread-safe.</summary>
internal sealed class JwtValidator(JwtOptions options, JwksSource keys, TimeProvider time)
{
    /// <summary>Longer ones are not looked at; Kestrel's bound on headers is 64 KiB.</summary>
    private const int MaxCharacters = 16 * 1024;

    /// <summary>How far clocks may differ.</summary>
    private const long LeewaySeconds = 60;

    /// <summary>True when a bearer token looks like one of these.</summary>
    public static bool IsCandidate(string token) => token.Length <= MaxCharacters && token.AsSpan().Count('.') == 2;

    /// <summary>Who shows the token; null when it is not in order.</summary>
    public async ValueTask<Identity?> ValidateAsync(string token, CancellationToken cancellation)
    {
        var parts = token.Split('.');
        if (parts is not [var headerPart, var payloadPart, var signaturePart] || Decode(headerPart) is not { } header || Decode(payloadPart) is not { } payload || Decode(signaturePart) is not { } signature)
        {
            return null;
        }

        try
        {
            using var head = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 8 });
            var (algorithm, keyId) = (TextOf(head.RootElement, "alg"), TextOf(head.RootElement, "kid"));

            // RFC 7515, section 4.1.11: extensions that are not understood must refuse the token.
            if (head.RootElement.TryGetProperty("crit", out _))
            {
                return null;
            }

            var signed = Encoding.ASCII.GetBytes($"{headerPart}.{payloadPart}");
            if (!(await keys.ForAsync(keyId, cancellation)).Verify(algorithm, keyId, signed, signature))
            {
                return null;
            }

            using var claims = JsonDocument.Parse(payload, new JsonDocumentOptions { MaxDepth = 16 });
            return IsInOrder(claims.RootElement) ? IdentityOf(claims.RootElement) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private bool IsInOrder(JsonElement claims)
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        return claims.TryGetProperty("exp", out var end) && end.TryGetDouble(out var endSeconds) && now < endSeconds + LeewaySeconds
            && (!claims.TryGetProperty("nbf", out var start) || (start.TryGetDouble(out var startSeconds) && now >= startSeconds - LeewaySeconds))
            && (options.Issuer.Length == 0 || TextOf(claims, "iss") == options.Issuer)
            && (options.Audience.Length == 0 || TextsOf(claims, "aud").Contains(options.Audience, StringComparer.Ordinal));
    }

    private Identity IdentityOf(JsonElement claims)
    {
        var names = TextsOf(claims, options.TenantsClaim);
        var tenants = names.Contains("*", StringComparer.Ordinal) ? TenantSet.All : TenantSet.Of(Parsed(names));
        var roles = options.RolesClaim.Length == 0 ? ["read", "write"] : TextsOf(claims, options.RolesClaim);
        return new Identity(
            TextsOf(claims, options.NameClaim).FirstOrDefault() ?? "jwt",
            roles.Contains("read", StringComparer.Ordinal) ? tenants : TenantSet.None,
            roles.Contains("write", StringComparer.Ordinal) ? tenants : TenantSet.None,
            roles.Contains("admin", StringComparer.Ordinal));
    }

    private static IEnumerable<TenantId> Parsed(IEnumerable<string> names)
    {
        foreach (var name in names)
        {
            if (TenantId.TryParse(name, out var tenant, out _))
            {
                yield return tenant;
            }
        }
    }

    private static string TextOf(JsonElement of, string name) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    /// <summary>The texts of a claim: itself, the items of a list, or the words of a text; dots lead into objects where there is no claim of the whole name.</summary>
    private static List<string> TextsOf(JsonElement of, string path)
    {
        if (!of.TryGetProperty(path, out var value))
        {
            foreach (var step in path.Split('.'))
            {
                if (of.ValueKind != JsonValueKind.Object || !of.TryGetProperty(step, out of))
                {
                    return [];
                }
            }

            value = of;
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => [.. value.GetString()!.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries)],
            JsonValueKind.Array => [.. value.EnumerateArray().Where(static v => v.ValueKind == JsonValueKind.String).Select(static v => v.GetString()!)],
            _ => [],
        };
    }

    private static byte[]? Decode(string part)
    {
        try
        {
            return Base64Url.DecodeFromChars(part);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
