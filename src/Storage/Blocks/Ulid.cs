using System.Buffers.Binary;

namespace Metrics.Storage;

/// <summary>The name of a block: 48 bits of Unix milliseconds, then 80 random bits; sorts by time of making.</summary>
/// <remarks>https://github.com/ulid/spec. As text: 26 characters of Crockford's base 32.</remarks>
public readonly record struct Ulid(UInt128 Value) : IComparable<Ulid>
{
    /// <summary>The length of the text.</summary>
    public const int TextLength = 26;

    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    /// <summary>When it was made.</summary>
    public DateTimeOffset Time => DateTimeOffset.FromUnixTimeMilliseconds((long)(ulong)(Value >> 80));

    /// <summary>Makes a name from a clock and a source of randomness, both the caller's.</summary>
    public static Ulid New(TimeProvider clock, Random random)
    {
        Span<byte> bytes = stackalloc byte[16];
        random.NextBytes(bytes);
        var low = BinaryPrimitives.ReadUInt128BigEndian(bytes) & ((UInt128.One << 80) - 1);
        return new Ulid(((UInt128)(ulong)(clock.GetUtcNow().ToUnixTimeMilliseconds() & 0xffff_ffff_ffff) << 80) | low);
    }

    /// <summary>Reads the text form; lower case is accepted, other characters are not.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Ulid ulid)
    {
        ulid = default;
        if (text.Length != TextLength || text[0] > '7')
        {
            return false;
        }

        UInt128 value = 0;
        foreach (var c in text)
        {
            var digit = Alphabet.IndexOf(char.ToUpperInvariant(c));
            if (digit < 0)
            {
                return false;
            }

            value = (value << 5) | (uint)digit;
        }

        ulid = new Ulid(value);
        return true;
    }

    /// <summary>Reads the text form.</summary>
    /// <exception cref="FormatException">The text is none.</exception>
    public static Ulid Parse(string text) => TryParse(text, out var ulid) ? ulid : throw new FormatException($"'{text}' is not a ULID");

    /// <inheritdoc/>
    public int CompareTo(Ulid other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => string.Create(TextLength, Value, static (to, value) =>
    {
        for (var i = to.Length - 1; i >= 0; i--)
        {
            to[i] = Alphabet[(int)(uint)(value & 31)];
            value >>= 5;
        }
    });
}
