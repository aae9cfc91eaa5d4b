using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>How the values of a dense chunk are coded.</summary>
internal enum ValueForm : byte
{
    /// <summary>As integers over a power of ten.</summary>
    Decimal = 0,

    /// <summary>As their bits, mapped so that they ascend with the values.</summary>
    Bits = 1,

    /// <summary>As numbers of the few values there are.</summary>
    Dictionary = 2,

    /// <summary>As numbers of the few upper parts there are, and lower parts as they are.</summary>
    Split = 3,

    /// <summary>As an XOR chunk whose times mean nothing.</summary>
    Xor = 4,
}

/// <summary>Reads the values of dense chunks; FORMAT.md draws their forms.</summary>
internal static class DenseValues
{
    /// <summary>The most values that a dictionary has.</summary>
    public const int MaxDictionary = 64;

    /// <summary>The most upper parts that a dictionary has.</summary>
    public const int MaxUpperParts = 8;

    /// <summary>The fewest bits of a lower part; the upper one has at most 16.</summary>
    public const int MinLowerBits = 48;

    /// <summary>In the exponent's byte: values that are not as the integers say follow.</summary>
    public const byte HasExceptions = 0x80;

    /// <summary>The integer by whose order doubles are ordered; its own inverse.</summary>
    public static long Ordered(long bits) => bits ^ ((bits >> 63) & long.MaxValue);

    /// <summary>Reads as many values as <paramref name="into"/> takes, and fills in those from one index up to another; the rest of it is left in any state.</summary>
    /// <exception cref="InvalidDataException">The bytes are damaged, or some are left over.</exception>
    public static void Read(ValueForm form, DenseReader from, Span<double> into, int first, int end)
    {
        switch (form)
        {
            case ValueForm.Decimal:
                ReadDecimal(ref from, into, first, end);
                break;
            case ValueForm.Bits:
                ReadBits(ref from, into, first, end);
                break;
            case ValueForm.Dictionary:
                ReadDictionary(ref from, into);
                break;
            case ValueForm.Split:
                ReadSplit(ref from, into);
                break;
            case ValueForm.Xor:
                ReadXor(ref from, into);
                break;
            default:
                DenseReader.Throw($"value form {(byte)form} is not known");
                break;
        }

        if (from.Left > 0)
        {
            DenseReader.Throw($"{from.Left} bytes follow the values");
        }
    }

    private static void ReadDecimal(scoped ref DenseReader from, Span<double> into, int first, int end)
    {
        var head = from.Byte();
        var exponent = head & ~HasExceptions;
        if (exponent > DecimalScale.MaxExponent)
        {
            DenseReader.Throw($"values have {exponent} decimal places");
        }

        var integers = MemoryMarshal.Cast<double, long>(into);
        PackedIntegers.Read(ref from, integers, first, end);
        DecimalScale.Unscale(integers[first..end], exponent);
        if ((head & HasExceptions) != 0)
        {
            ReadExceptions(ref from, into);
        }
    }

    private static void ReadBits(scoped ref DenseReader from, Span<double> into, int first, int end)
    {
        var head = from.Byte();
        if ((head & ~HasExceptions) != 0)
        {
            DenseReader.Throw($"{head:x2} is no head of bits");
        }

        var integers = MemoryMarshal.Cast<double, long>(into);
        PackedIntegers.Read(ref from, integers, first, end);
        for (var i = first; i < end; i++)
        {
            integers[i] = Ordered(integers[i]);
        }

        if ((head & HasExceptions) != 0)
        {
            ReadExceptions(ref from, into);
        }
    }

    // Each is the distance from the one before, and a bit that tells a stale marker from other bits, which follow.
    private static void ReadExceptions(scoped ref DenseReader from, Span<double> into)
    {
        var count = from.Bounded(into.Length, "the number of exceptions");
        for (var at = -1; count > 0; count--)
        {
            var head = from.Bounded(2 * DenseChunk.MaxSamples, "the distance of an exception");
            var bits = (head & 1) == 0 ? StaleMarker.Bits : BinaryPrimitives.ReadUInt64LittleEndian(from.Take(sizeof(ulong)));
            at += 1 + (head >> 1);
            if (at >= into.Length)
            {
                DenseReader.Throw($"an exception stands at {at} of {into.Length} values");
            }

            into[at] = BitConverter.UInt64BitsToDouble(bits);
        }
    }

    private static void ReadDictionary(scoped ref DenseReader from, Span<double> into)
    {
        var size = from.Byte();
        if (size is 0 or > MaxDictionary)
        {
            DenseReader.Throw($"a dictionary has {size} values");
        }

        var entries = from.Take(size * sizeof(double));
        var width = WidthOf(size);
        var indexes = MemoryMarshal.Cast<double, ulong>(into);
        BitPacking.Unpack(from.Take(BitPacking.Bytes(into.Length, width)), width, indexes);
        foreach (ref var index in indexes)
        {
            if (index >= size)
            {
                DenseReader.Throw($"value {index} of a dictionary of {size}");
            }

            index = BinaryPrimitives.ReadUInt64LittleEndian(entries[((int)index * sizeof(double))..]);
        }
    }

    private static void ReadSplit(scoped ref DenseReader from, Span<double> into)
    {
        var lowerBits = (int)from.Byte();
        var size = from.Byte();
        if (lowerBits is < MinLowerBits or > BitPacking.MaxWidth || size is 0 or > MaxUpperParts)
        {
            DenseReader.Throw($"values are split at bit {lowerBits}, with {size} upper parts");
        }

        Span<ulong> upper = stackalloc ulong[MaxUpperParts];
        upper.Clear();
        for (var i = 0; i < size; i++)
        {
            upper[i] = (ulong)from.Count() << lowerBits;
        }

        var width = WidthOf(size);
        Span<ulong> numbers = stackalloc ulong[into.Length];
        BitPacking.Unpack(from.Take(BitPacking.Bytes(into.Length, width)), width, numbers);
        var bits = MemoryMarshal.Cast<double, ulong>(into);
        BitPacking.Unpack(from.Take(BitPacking.Bytes(into.Length, lowerBits)), lowerBits, bits);
        for (var i = 0; i < bits.Length; i++)
        {
            // A number has at most three bits, as many as the table has entries for.
            bits[i] |= upper[(int)numbers[i]];
        }

        var lower = (1UL << lowerBits) - 1;
        var count = from.Bounded(into.Length, "the number of exceptions");
        for (var at = -1; count > 0; count--)
        {
            at += 1 + from.Bounded(into.Length, "the distance of an exception");
            var part = (ulong)from.Count() << lowerBits;
            if (at >= into.Length)
            {
                DenseReader.Throw($"an exception stands at {at} of {into.Length} values");
            }

            bits[at] = (bits[at] & lower) | part;
        }
    }

    private static void ReadXor(scoped ref DenseReader from, Span<double> into)
    {
        var chunk = from.Take(from.Left);
        if (XorChunk.Count(chunk) != into.Length)
        {
            DenseReader.Throw($"{XorChunk.Count(chunk)} values by XOR, but {into.Length} times");
        }

        var reader = new XorReader(chunk);
        for (var i = 0; i < into.Length; i++)
        {
            reader.Next(i);
            into[i] = BitConverter.UInt64BitsToDouble(reader.ValueBits);
        }

        if (reader.Length != chunk.Length)
        {
            DenseReader.Throw($"{chunk.Length - reader.Length} bytes follow the values by XOR");
        }
    }

    /// <summary>The bits that tell so many apart.</summary>
    internal static int WidthOf(int size) => size <= 1 ? 0 : 32 - System.Numerics.BitOperations.LeadingZeroCount((uint)(size - 1));
}
