using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Metrics.Storage;

/// <summary>Doubles as integers over a power of ten: 12.34 is 1234 / 10^2.</summary>
/// <remarks>
/// ALP (Afroozeh, Kuffo, Boncz, SIGMOD 2024) multiplies by an inexact 10^-e and searches pairs of exponents for which that comes back. Here the decoder divides: an integer of up to 53 bits over an exact power
/// of ten, correctly rounded, is the double nearest to the decimal (Clinger, PLDI 1990), so every decimal of up to 15 digits comes back and the exponent is the number of its places.
/// </remarks>
internal static class DecimalScale
{
    /// <summary>The most decimal places; beyond 22 a power of ten is no exact double.</summary>
    public const int MaxExponent = 18;

    /// <summary>Integers below it are exact doubles, and so are quotients of them rounded once.</summary>
    public const double Limit = 1L << 53;

    private static readonly double[] Powers = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

    /// <summary>The integer that gives back the very bits of a value; false when there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryScale(double value, int exponent, out long integer)
    {
        var power = Powers[exponent];
        var scaled = value * power;
        if (!(Math.Abs(scaled) < Limit))
        {
            integer = 0;
            return false;
        }

        var rounded = Math.Round(scaled);
        integer = (long)rounded;

        // The integer knows no negative zero, which the comparison of bits finds.
        return BitConverter.DoubleToUInt64Bits(integer / power) == BitConverter.DoubleToUInt64Bits(value);
    }

    /// <summary>Scales values from the first on, as long as each comes back; gives how many did, rounded down to a vector.</summary>
    public static int ScaleRun(ReadOnlySpan<double> values, int exponent, Span<long> into)
    {
        var at = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            ref var source = ref MemoryMarshal.GetReference(values);
            ref var target = ref MemoryMarshal.GetReference(into);
            var powers = Vector256.Create(Powers[exponent]);
            var limits = Vector256.Create(Limit);
            for (; at <= values.Length - Vector256<double>.Count; at += Vector256<double>.Count)
            {
                var value = Vector256.LoadUnsafe(ref source, (nuint)at);
                var scaled = value * powers;
                var rounded = Vector256.Round(scaled);
                var same = Vector256.Equals((rounded / powers).AsInt64(), value.AsInt64()) & Vector256.LessThan(Vector256.Abs(scaled), limits).AsInt64();

                // A negative zero divides into itself, but the integer forgets it.
                if (!Vector256.EqualsAll(same, Vector256<long>.AllBitsSet) || Vector256.EqualsAny(value.AsInt64(), Vector256.Create(long.MinValue)))
                {
                    break;
                }

                Vector256.ConvertToInt64(rounded).StoreUnsafe(ref target, (nuint)at);
            }
        }

        return at;
    }

    /// <summary>The fewest decimal places, from some on, with which a value comes back; -1 when it never does.</summary>
    public static int PlacesOf(double value, int from = 0)
    {
        for (var exponent = from; exponent <= MaxExponent && Math.Abs(value) * Powers[exponent] < Limit; exponent++)
        {
            if (TryScale(value, exponent, out _))
            {
                return exponent;
            }
        }

        return -1;
    }

    /// <summary>Turns integers into the doubles they stand for, in place.</summary>
    public static void Unscale(Span<long> integers, int exponent)
    {
        var power = Powers[exponent];
        var values = MemoryMarshal.Cast<long, double>(integers);
        var at = 0;
        if (Vector256.IsHardwareAccelerated && integers.Length >= Vector256<long>.Count)
        {
            ref var source = ref MemoryMarshal.GetReference(integers);
            ref var target = ref MemoryMarshal.GetReference(values);
            var powers = Vector256.Create(power);
            for (; at <= integers.Length - Vector256<long>.Count; at += Vector256<long>.Count)
            {
                var scaled = Vector256.ConvertToDouble(Vector256.LoadUnsafe(ref source, (nuint)at));
                (exponent == 0 ? scaled : scaled / powers).StoreUnsafe(ref target, (nuint)at);
            }
        }

        for (; at < integers.Length; at++)
        {
            values[at] = integers[at] / power;
        }
    }
}
