using System.Runtime.CompilerServices;

namespace Metrics.Model;

/// <summary>LEB128 integers as in protobuf and in Go's <c>encoding/binary</c>: seven bits a byte, least significant first.</summary>
public static class Varint
{
    /// <summary>The most bytes a 64-bit integer takes.</summary>
    public const int MaxBytes = 10;

    /// <summary>Writes an unsigned integer; returns the bytes written. The span must have room.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Write(Span<byte> to, ulong value)
    {
        var at = 0;
        while (value >= 0x80)
        {
            to[at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        to[at++] = (byte)value;
        return at;
    }

    /// <summary>Writes a signed integer in zigzag form; returns the bytes written.</summary>
    public static int WriteSigned(Span<byte> to, long value) => Write(to, ((ulong)value << 1) ^ (ulong)(value >> 63));

    /// <summary>Reads an unsigned integer and steps past it.</summary>
    /// <exception cref="FormatException">The bytes end inside the integer, or it has more than 64 bits.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(scoped ref ReadOnlySpan<byte> from)
    {
        // Fast path: most lengths and deltas fit into one byte.
        if (from.Length > 0 && from[0] < 0x80)
        {
            var one = from[0];
            from = from[1..];
            return one;
        }

        if (!TryRead(ref from, out var value))
        {
            ThrowMalformed();
        }

        return value;
    }

    /// <summary>Reads a zigzag integer and steps past it.</summary>
    /// <exception cref="FormatException">As for <see cref="Read"/>.</exception>
    public static long ReadSigned(scoped ref ReadOnlySpan<byte> from)
    {
        var value = Read(ref from);
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>Reads an unsigned integer; false, without stepping, when the bytes do not hold a whole one.</summary>
    public static bool TryRead(scoped ref ReadOnlySpan<byte> from, out ulong value)
    {
        value = 0;
        var shift = 0;
        for (var i = 0; i < from.Length && i < MaxBytes; i++)
        {
            var b = from[i];
            if (i == MaxBytes - 1 && b > 1)
            {
                return false;
            }

            value |= (ulong)(b & 0x7f) << shift;
            if (b < 0x80)
            {
                from = from[(i + 1)..];
                return true;
            }

            shift += 7;
        }

        return false;
    }

    /// <summary>The bytes <see cref="Write"/> would take.</summary>
    public static int Length(ulong value) => ((63 - System.Numerics.BitOperations.LeadingZeroCount(value | 1)) / 7) + 1;

    private static void ThrowMalformed() => throw new FormatException("malformed varint: the input ends inside it or it exceeds 64 bits");
}
