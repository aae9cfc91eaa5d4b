using System.Buffers.Binary;
using System.Numerics;

namespace Metrics.Storage;

/// <summary>The value column of a log record: what people measure are mostly decimal numbers of few digits, and those take as many bytes as their digits need. See FORMAT.md.</summary>
internal static class LoggedValues
{
    /// <summary>The most bytes of one value.</summary>
    public const int MaxBytes = 1 + sizeof(ulong);

    private const byte Small = 0x80;
    private const byte Raw = 0x78;
    private const int MostDecimals = 4;
    private const long MostWhole = 1L << 53;
    private const double ExactProduct = 1L << 51; // Below it a product is off by less than half.

    private static ReadOnlySpan<double> Powers => [1, 10, 100, 1000, 10000];

    /// <summary>Writes values into a buffer of at least <see cref="MaxBytes"/> for each; gives the number of bytes.</summary>
    public static int Write(Span<byte> to, ReadOnlySpan<double> values)
    {
        var at = 0;
        foreach (var value in values)
        {
            at += Write(to[at..], value);
        }

        return at;
    }

    /// <summary>Reads a value and steps past it; the same bits that were written.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The bytes end inside it.</exception>
    /// <exception cref="FormatException">No value begins so.</exception>
    public static double Read(ref ReadOnlySpan<byte> from)
    {
        if (from.IsEmpty)
        {
            throw new FormatException("a value is missing");
        }

        var head = from[0];
        if (head >= Small)
        {
            from = from[1..];
            return head - Small;
        }

        var (decimals, length) = (head >> 4, head & 0xf);
        if (length > sizeof(ulong) || (decimals > MostDecimals && head != Raw))
        {
            throw new FormatException($"no value begins with {head:x2}");
        }

        var word = from.Length > sizeof(ulong)
            ? BinaryPrimitives.ReadUInt64LittleEndian(from[1..]) & (length == sizeof(ulong) ? ulong.MaxValue : (1UL << (8 * length)) - 1)
            : Assemble(from.Slice(1, length));
        from = from[(1 + length)..];
        return head == Raw ? BitConverter.UInt64BitsToDouble(word) : ((long)(word >> 1) ^ -(long)(word & 1)) / Powers[decimals];
    }

    private static int Write(Span<byte> to, double value)
    {
        // Fast path: most of what is counted is whole. Not -0, whose bits differ, nor NaN, which becomes 0.
        var whole = (long)value;
        if (whole is > -MostWhole and < MostWhole && BitConverter.DoubleToInt64Bits(whole) == BitConverter.DoubleToInt64Bits(value))
        {
            return Write(to, 0, whole);
        }

        // With the most decimals first: a real double, which has none of them, is known by one division, and a number of fewer decimals by its zeros.
        var scaled = Math.Round(value * Powers[MostDecimals]);
        if (Math.Abs(scaled) < ExactProduct)
        {
            whole = (long)scaled;
            return Same(whole, MostDecimals, value) ? WriteShortest(to, whole) : WriteRaw(to, value);
        }

        // As far from 0 as this, the product above may be the next whole number to the right one, or too large for what fewer decimals need.
        for (var decimals = 1; decimals <= MostDecimals; decimals++)
        {
            var mantissa = Math.Round(value * Powers[decimals]);
            if (!(Math.Abs(mantissa) < MostWhole))
            {
                break; // Also NaN and the infinities.
            }

            if (Same((long)mantissa, decimals, value))
            {
                return Write(to, decimals, (long)mantissa);
            }
        }

        return WriteRaw(to, value);
    }

    // It counts only when reading gives the same bits: not for -0, nor for what merely looks like a short decimal.
    private static bool Same(long mantissa, int decimals, double value) => BitConverter.DoubleToInt64Bits(mantissa / Powers[decimals]) == BitConverter.DoubleToInt64Bits(value);

    private static int WriteShortest(Span<byte> to, long mantissa)
    {
        var decimals = MostDecimals;
        while (mantissa % 10 == 0)
        {
            mantissa /= 10;
            decimals--;
        }

        return Write(to, decimals, mantissa);
    }

    private static int Write(Span<byte> to, int decimals, long mantissa)
    {
        if (decimals == 0 && mantissa is >= 0 and < Small)
        {
            to[0] = (byte)(Small | mantissa);
            return 1;
        }

        var zigzag = (ulong)((mantissa << 1) ^ (mantissa >> 63));
        var length = (71 - BitOperations.LeadingZeroCount(zigzag | 1)) / 8;
        to[0] = (byte)((decimals << 4) | length);
        BinaryPrimitives.WriteUInt64LittleEndian(to[1..], zigzag);
        return 1 + length;
    }

    private static int WriteRaw(Span<byte> to, double value)
    {
        to[0] = Raw;
        BinaryPrimitives.WriteDoubleLittleEndian(to[1..], value);
        return MaxBytes;
    }

    private static ulong Assemble(ReadOnlySpan<byte> bytes)
    {
        ulong word = 0;
        for (var i = bytes.Length - 1; i >= 0; i--)
        {
            word = (word << 8) | bytes[i];
        }

        return word;
    }
}
