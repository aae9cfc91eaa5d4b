using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Finds the shortest form of the values of a chunk, and writes it. Reused; not thread-safe.</summary>
/// <remarks>
/// Forms are tried by what they are likely to save: once values take less than a byte or two, the rest is not looked at. An exception takes part in the integers with the value before it, which costs
/// nothing in differences and does not widen a frame.
/// </remarks>
internal sealed class ValueEncoder
{
    /// <summary>Values that are looked at to choose decimal places.</summary>
    private const int Samples = 32;

    /// <summary>Bytes a value from which on other forms than decimals may be shorter: most doubles have 16 decimal places, which take 53 bits.</summary>
    private const int NoisyBytes = 5;

    /// <summary>Bytes that an exception takes, about.</summary>
    private const int ExceptionBytes = 9;

    /// <summary>Bytes that a decimal place costs each value, about: log2(10) bits.</summary>
    private const double PlaceBytes = 0.415;

    private readonly IntegerEncoder integers = new();
    private readonly SplitEncoder split = new();
    private readonly long[] column = new long[DenseChunk.MaxSamples];
    private readonly int[] exceptions = new int[DenseChunk.MaxSamples];
    private readonly long[] steps = Steps();
    private readonly Dictionary<ulong, int> numbers = [];
    private readonly ulong[] indexes = new ulong[DenseChunk.MaxSamples];
    private byte[] best = new byte[MaxBytes(DenseChunk.MaxSamples)];
    private byte[] other = new byte[MaxBytes(DenseChunk.MaxSamples)];
    private int bestLength;
    private ValueForm form;

    /// <summary>The most bytes that so many values take in any form.</summary>
    public static int MaxBytes(int count) => 64 + IntegerEncoder.MaxBytes(count) + (count * 11) + XorChunk.MaxBytes(count);

    /// <summary>The shortest form of values; valid until the next call.</summary>
    public ReadOnlySpan<byte> Encode(ReadOnlySpan<double> values, out ValueForm chosen)
    {
        bestLength = int.MaxValue;
        var bits = MemoryMarshal.Cast<double, ulong>(values);
        if (PlacesFor(values) is >= 0 and var places)
        {
            Offer(ValueForm.Decimal, WriteDecimal(values, places));
        }

        if (bestLength > values.Length)
        {
            Offer(ValueForm.Dictionary, WriteDictionary(bits));
        }

        // Decimals that are no shorter than noise might be noise.
        if (bestLength > NoisyBytes * values.Length || form == ValueForm.Dictionary)
        {
            Offer(ValueForm.Bits, WriteBits(values));
        }

        if (bestLength > NoisyBytes * values.Length)
        {
            Offer(ValueForm.Split, split.Write(bits, other));
            Offer(ValueForm.Xor, XorChunk.Encode(steps.AsSpan(0, values.Length), values, other));
        }

        chosen = form;
        return best.AsSpan(0, bestLength);
    }

    private static long[] Steps()
    {
        var ascending = new long[DenseChunk.MaxSamples];
        for (var i = 0; i < ascending.Length; i++)
        {
            ascending[i] = i;
        }

        return ascending;
    }

    // 0 is no length: a form that can't be.
    private void Offer(ValueForm offered, int length)
    {
        if (length > 0 && length < bestLength)
        {
            (best, other) = (other, best);
            bestLength = length;
            form = offered;
        }
    }

    /// <summary>The decimal places that cost least over a few of the values; -1 when too many have no decimal form.</summary>
    private static int PlacesFor(ReadOnlySpan<double> values)
    {
        Span<int> need = stackalloc int[DecimalScale.MaxExponent + 1];
        need.Clear();
        int looked = 0, never = 0, places = 0;
        for (var i = 0; i < Math.Min(Samples, values.Length); i++)
        {
            var value = values[values.Length <= Samples ? i : (int)((long)i * values.Length / Samples)];
            if (!double.IsFinite(value))
            {
                continue;
            }

            looked++;

            // Fast path: as many places as the one before.
            var needed = DecimalScale.TryScale(value, places, out _) && (places == 0 || !DecimalScale.TryScale(value, places - 1, out _)) ? places : DecimalScale.PlacesOf(value);
            if (needed < 0)
            {
                never += value == 0 ? 0 : 1;
                continue;
            }

            need[needed]++;
            places = needed;
        }

        if (never * 5 > looked)
        {
            return -1;
        }

        var cheapest = 0;
        var least = double.MaxValue;
        var above = looked - never;
        for (var exponent = 0; exponent < need.Length; exponent++)
        {
            above -= need[exponent];
            var cost = (exponent * PlaceBytes * looked) + (above * ExceptionBytes);
            if (cost < least)
            {
                least = cost;
                cheapest = exponent;
            }
        }

        return cheapest;
    }

    private int WriteDecimal(ReadOnlySpan<double> values, int places)
    {
        var count = Scale(values, places);

        // The few that were looked at may have had fewer places than the rest.
        if (count * 16 > values.Length && PlacesOfExceptions(values, count) is var more && more > places && Scale(values, more) is var fewer && fewer < count)
        {
            (count, places) = (fewer, more);
        }
        else if (count * 16 > values.Length)
        {
            count = Scale(values, places);
        }

        if (count * 2 > values.Length && values.Length > Samples)
        {
            return 0;
        }

        other[0] = (byte)(places | (count > 0 ? DenseValues.HasExceptions : 0));
        var at = 1 + integers.Encode(column.AsSpan(0, values.Length), other.AsSpan(1));
        return WriteExceptions(values, count, at);
    }

    private int WriteBits(ReadOnlySpan<double> values)
    {
        var count = 0;
        for (var i = 0; i < values.Length; i++)
        {
            if (double.IsFinite(values[i]))
            {
                column[i] = DenseValues.Ordered(BitConverter.DoubleToInt64Bits(values[i]));
            }
            else
            {
                exceptions[count++] = i;
            }
        }

        FillExceptions(values.Length, count);
        other[0] = (byte)(count > 0 ? DenseValues.HasExceptions : 0);
        var at = 1 + integers.Encode(column.AsSpan(0, values.Length), other.AsSpan(1));
        return WriteExceptions(values, count, at);
    }

    // Fills the column with integers; gives how many values have none.
    private int Scale(ReadOnlySpan<double> values, int places)
    {
        var count = 0;
        for (var i = DecimalScale.ScaleRun(values, places, column); i < values.Length; i++)
        {
            if (!DecimalScale.TryScale(values[i], places, out column[i]))
            {
                exceptions[count++] = i;
            }
        }

        FillExceptions(values.Length, count);
        return count;
    }

    private void FillExceptions(int length, int count)
    {
        var leading = 0;
        while (leading < count && exceptions[leading] == leading)
        {
            leading++;
        }

        column.AsSpan(0, leading).Fill(leading < length ? column[leading] : 0);
        for (var i = leading; i < count; i++)
        {
            column[exceptions[i]] = column[exceptions[i] - 1];
        }
    }

    private int PlacesOfExceptions(ReadOnlySpan<double> values, int count)
    {
        var most = -1;
        for (var i = 0; i < Math.Min(count, Samples); i++)
        {
            var value = values[exceptions[(int)((long)i * count / Math.Min(count, Samples))]];
            if (double.IsFinite(value))
            {
                most = Math.Max(most, DecimalScale.PlacesOf(value));
            }
        }

        return most;
    }

    private int WriteExceptions(ReadOnlySpan<double> values, int count, int at)
    {
        if (count == 0)
        {
            return at;
        }

        at += Varint.Write(other.AsSpan(at), (ulong)count);
        var last = -1;
        foreach (var index in exceptions.AsSpan(0, count))
        {
            var isStale = StaleMarker.Is(values[index]);
            at += Varint.Write(other.AsSpan(at), ((ulong)(index - last - 1) << 1) | (isStale ? 0UL : 1));
            if (!isStale)
            {
                System.Buffers.Binary.BinaryPrimitives.WriteDoubleLittleEndian(other.AsSpan(at), values[index]);
                at += sizeof(double);
            }

            last = index;
        }

        return at;
    }

    private int WriteDictionary(ReadOnlySpan<ulong> bits)
    {
        numbers.Clear();
        for (var i = 0; i < bits.Length; i++)
        {
            if (!numbers.TryGetValue(bits[i], out var number))
            {
                if (numbers.Count == DenseValues.MaxDictionary)
                {
                    return 0;
                }

                number = numbers.Count;
                numbers.Add(bits[i], number);
                System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(other.AsSpan(1 + (number * sizeof(ulong))), bits[i]);
            }

            indexes[i] = (ulong)number;
        }

        other[0] = (byte)numbers.Count;
        var at = 1 + (numbers.Count * sizeof(ulong));
        var width = DenseValues.WidthOf(numbers.Count);
        var length = BitPacking.Bytes(bits.Length, width);
        BitPacking.Pack(indexes.AsSpan(0, bits.Length), width, other.AsSpan(at, length));
        return at + length;
    }
}
