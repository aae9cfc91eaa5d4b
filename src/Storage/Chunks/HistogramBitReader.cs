using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>Reads Prometheus's bit-packed fields, most significant bit first (tsdb/chunkenc: bstream, varbit, xor).</summary>
/// <remarks>Running past the end raises <see cref="InvalidDataException"/>.</remarks>
[StructLayout(LayoutKind.Auto)]
internal ref struct HistogramBitReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> bytes = bytes;
    private readonly long end = bytes.Length * 8L;
    private long at;

    /// <summary>How many bits are left.</summary>
    public readonly long Remaining => end - at;

    /// <summary>The next bit.</summary>
    public bool Bit()
    {
        if (at >= end)
        {
            ThrowShort();
        }

        var set = (bytes[(int)(at >> 3)] & (0x80 >> (int)(at & 7))) != 0;
        at++;
        return set;
    }

    /// <summary>The next 0 to 64 bits, right-aligned.</summary>
    public ulong Bits(int count)
    {
        if (count == 0)
        {
            return 0;
        }

        if (end - at < count)
        {
            ThrowShort();
        }

        var index = (int)(at >> 3);
        var skip = (int)(at & 7);
        at += count;
        ulong word;
        if (bytes.Length - index >= 8)
        {
            word = BinaryPrimitives.ReadUInt64BigEndian(bytes[index..]);
        }
        else
        {
            word = 0;
            for (var i = index; i < bytes.Length; i++)
            {
                word |= (ulong)bytes[i] << (56 - (8 * (i - index)));
            }
        }

        word <<= skip;
        if (count > 64 - skip)
        {
            word |= (ulong)bytes[index + 8] >> (8 - skip);
        }

        return word >> (64 - count);
    }

    /// <summary>A signed integer of the bit-bucketed code.</summary>
    public long VarbitInt()
    {
        var size = VarbitSize();
        var bits = Bits(size);
        // The code is asymmetric: 2^(size-1) itself is positive.
        return size is > 0 and < 64 && bits > 1UL << (size - 1) ? (long)(bits - (1UL << size)) : (long)bits;
    }

    /// <summary>An unsigned integer of the bit-bucketed code.</summary>
    public ulong VarbitUInt() => Bits(VarbitSize());

    /// <summary>A signed LEB128 integer, zigzag, that need not start at a byte.</summary>
    public long SVarint()
    {
        var value = UVarint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>An unsigned LEB128 integer that need not start at a byte.</summary>
    public ulong UVarint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = Bits(8);
            value |= (b & 0x7f) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("a varint in a chunk exceeds 64 bits");
    }

    private int VarbitSize()
    {
        var ones = 0;
        while (ones < 8 && Bit())
        {
            ones++;
        }

        return ones switch { 0 => 0, 1 => 3, 2 => 6, 3 => 9, 4 => 12, 5 => 18, 6 => 25, 7 => 56, _ => 64 };
    }

    private static void ThrowShort() => throw new InvalidDataException("the chunk ends inside a sample");
}

/// <summary>A float that is stored as its difference in bits from the one before (Gorilla; Pelkonen et al., VLDB 2015, 4.1.2).</summary>
internal struct HistogramXorValue
{
    public double Value;
    private int leading;
    private int trailing;

    /// <summary>Reads the next value.</summary>
    public void Read(scoped ref HistogramBitReader from)
    {
        if (!from.Bit())
        {
            return;
        }

        if (from.Bit())
        {
            leading = (int)from.Bits(5);
            var significant = (int)from.Bits(6);
            if (significant == 0)
            {
                significant = 64;
            }

            trailing = 64 - leading - significant;
            if (trailing < 0)
            {
                throw new InvalidDataException($"{leading} leading and {significant} significant bits exceed 64");
            }
        }

        var bits = from.Bits(64 - leading - trailing) << trailing;
        Value = BitConverter.UInt64BitsToDouble(BitConverter.DoubleToUInt64Bits(Value) ^ bits);
    }
}
