using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Metrics.Gateway.Security;

/// <summary>What is kept of a password: PBKDF2 over HMAC-SHA-256 (RFC 8018), as <c>pbkdf2-sha256$ITERATIONS$SALT$HASH</c>, salt and hash in base64.</summary>
internal sealed class PasswordHash
{
    /// <summary>OWASP's figure for this function, 2023; about 0.2 s of one processor.</summary>
    public const int DefaultIterations = 600_000;

    private const string Scheme = "pbkdf2-sha256";
    private const int MaxIterations = 10_000_000;
    private const int HashBytes = 32;

    private readonly int iterations;
    private readonly byte[] salt;
    private readonly byte[] hash;

    private PasswordHash(int iterations, byte[] salt, byte[] hash)
    {
        this.iterations = iterations;
        this.salt = salt;
        this.hash = hash;
    }

    /// <summary>One that no password has, to spend the same time on users that there are not.</summary>
    public static PasswordHash OfNobody { get; } = new(DefaultIterations, new byte[16], new byte[HashBytes]);

    /// <summary>Hashes a password with a salt of its own.</summary>
    public static PasswordHash Of(string password, int iterations = DefaultIterations)
    {
        var ownSalt = RandomNumberGenerator.GetBytes(16);
        return new PasswordHash(iterations, ownSalt, Derive(password, ownSalt, iterations));
    }

    /// <summary>Reads the notation.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out PasswordHash? parsed)
    {
        parsed = null;
        if (text.Split('$') is not [Scheme, var count, var saltText, var hashText]
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var iterations) || iterations is < 1 or > MaxIterations)
        {
            return false;
        }

        Span<byte> saltRoom = stackalloc byte[256];
        Span<byte> hashRoom = stackalloc byte[256];
        if (!Convert.TryFromBase64String(saltText, saltRoom, out var saltBytes) || saltBytes < 8 || !Convert.TryFromBase64String(hashText, hashRoom, out var hashBytes) || hashBytes != HashBytes)
        {
            return false;
        }

        parsed = new PasswordHash(iterations, saltRoom[..saltBytes].ToArray(), hashRoom[..hashBytes].ToArray());
        return true;
    }

    /// <summary>True when it is the password's; takes the same time either way.</summary>
    public bool Matches(string password) => CryptographicOperations.FixedTimeEquals(hash, Derive(password, salt, iterations));

    /// <inheritdoc/>
    public override string ToString() => $"{Scheme}${iterations.ToString(CultureInfo.InvariantCulture)}${Convert.ToBase64String(salt)}${Convert.ToBase64String(hash)}";

    private static byte[] Derive(string password, byte[] salt, int iterations) =>
        Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), salt, iterations, HashAlgorithmName.SHA256, HashBytes);
}
