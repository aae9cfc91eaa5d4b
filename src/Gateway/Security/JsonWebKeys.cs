using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Security;

/// <summary>Public keys that sign tokens: a JSON Web Key Set (RFC 7517) of RSA and elliptic curve keys (RFC 7518, section 6). Others in the set are passed over.</summary>
internal sealed class JsonWebKeys
{
    /// <summary>The largest set read.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>What RFC 7518, section 3.3, asks for.</summary>
    private const int RsaBitsMin = 2048;

    private readonly List<Key> keys = [];

    private JsonWebKeys()
    {
    }

    /// <summary>No keys.</summary>
    public static JsonWebKeys None { get; } = new();

    /// <summary>Reads a set; <paramref name="name"/> is what messages call it.</summary>
    /// <exception cref="ConfigurationException">It is none, or too large.</exception>
    public static JsonWebKeys Parse(string name, ReadOnlyMemory<byte> json)
    {
        if (json.Length > MaxBytes)
        {
            throw new ConfigurationException($"{name}: {json.Length} bytes, allowed are {MaxBytes}");
        }

        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 16 });
            var set = new JsonWebKeys();
            foreach (var key in document.RootElement.GetProperty("keys").EnumerateArray())
            {
                set.Add(key);
            }

            return set;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or CryptographicException)
        {
            throw new ConfigurationException($"{name} is no JSON Web Key Set: {e.Message}");
        }
    }

    /// <summary>True when there is a key that a token could mean.</summary>
    public bool Knows(string keyId) => keys.Exists(k => k.Id == keyId || keyId.Length == 0);

    /// <summary>True when one of the keys that the token could mean signed it.</summary>
    /// <param name="algorithm">The token's <c>alg</c>; one that is not known, <c>none</c> and those with shared secrets among them, verifies nothing.</param>
    /// <param name="keyId">The token's <c>kid</c>; empty for any key.</param>
    /// <param name="signed">The bytes signed.</param>
    /// <param name="signature">The signature.</param>
    public bool Verify(string algorithm, string keyId, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature)
    {
        foreach (var key in keys)
        {
            if ((keyId.Length == 0 || key.Id == keyId) && (key.Algorithm.Length == 0 || key.Algorithm == algorithm) && key.Verify(algorithm, signed, signature))
            {
                return true;
            }
        }

        return false;
    }

    private void Add(JsonElement key)
    {
        if (Text(key, "use") is not ("" or "sig"))
        {
            return;
        }

        switch (Text(key, "kty"))
        {
            case "RSA":
                var rsa = RSA.Create(new RSAParameters { Modulus = Base64Url.DecodeFromChars(Text(key, "n")), Exponent = Base64Url.DecodeFromChars(Text(key, "e")) });
                keys.Add(rsa.KeySize >= RsaBitsMin ? new Key(Text(key, "kid"), Text(key, "alg"), rsa, null, "") : throw new FormatException($"an RSA key of {rsa.KeySize} bits, want {RsaBitsMin} at least"));
                break;
            case "EC" when CurveOf(Text(key, "crv")) is var (curve, algorithm):
                var point = new ECPoint { X = Base64Url.DecodeFromChars(Text(key, "x")), Y = Base64Url.DecodeFromChars(Text(key, "y")) };
                keys.Add(new Key(Text(key, "kid"), Text(key, "alg"), null, ECDsa.Create(new ECParameters { Curve = curve, Q = point }), algorithm));
                break;
        }
    }

    private static (ECCurve Curve, string Algorithm)? CurveOf(string name) => name switch
    {
        "P-256" => (ECCurve.NamedCurves.nistP256, "ES256"),
        "P-384" => (ECCurve.NamedCurves.nistP384, "ES384"),
        "P-521" => (ECCurve.NamedCurves.nistP521, "ES512"),
        _ => null,
    };

    private static string Text(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    /// <summary>One key. The platform's keys may be used by several threads to verify.</summary>
    private sealed record Key(string Id, string Algorithm, RSA? Rsa, ECDsa? Ec, string EcAlgorithm)
    {
        public bool Verify(string algorithm, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature)
        {
            var hash = algorithm.Length == 5 ? HashOf(algorithm[2..]) : null;
            if (hash is not { } name)
            {
                return false;
            }

            return algorithm[..2] switch
            {
                "RS" => Rsa is not null && Rsa.VerifyData(signed, signature, name, RSASignaturePadding.Pkcs1),
                "PS" => Rsa is not null && Rsa.VerifyData(signed, signature, name, RSASignaturePadding.Pss),
                "ES" => Ec is not null && algorithm == EcAlgorithm && Ec.VerifyData(signed, signature, name, DSASignatureFormat.IeeeP1363FixedFieldConcatenation),
                _ => false,
            };
        }

        private static HashAlgorithmName? HashOf(string bits) => bits switch
        {
            "256" => HashAlgorithmName.SHA256,
            "384" => HashAlgorithmName.SHA384,
            "512" => HashAlgorithmName.SHA512,
            _ => null,
        };
    }
}
