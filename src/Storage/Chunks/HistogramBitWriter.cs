namespace Metrics.Storage;

/// <summary>Writes what <see cref="HistogramBitReader"/> reads, most significant bit first, into memory that grows. Not thread-safe.</summary>
internal sealed class HistogramBitWriter
{
    private byte[] bytes = new byte[256];
    private int bits;

    /// <summary>What was written, the last byte filled up with zeros.</summary>
    public Span<byte> Bytes => bytes.AsSpan(0, (bits + 7) / 8);

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        Bytes.Clear();
        bits = 0;
    }

    public void Bit(bool set) => Bits(set ? 1UL : 0, 1);

    /// <summary>Writes the lowest <paramref name="count"/> bits, 1 to 64.</summary>
    public void Bits(ulong value, int count)
    {
        if (bytes.Length * 8L < bits + (long)count + 64)
        {
            Array.Resize(ref bytes, bytes.Length * 2);
        }

        while (count > 0)
        {
            var free = 8 - (bits & 7);
            var take = Math.Min(free, count);
            var part = (value >> (count - take)) & ((1UL << take) - 1);
            bytes[bits >> 3] |= (byte)(part << (free - take));
            bits += take;
            count -= take;
        }
    }

    /// <summary>Writes a signed integer in the bit-bucketed code.</summary>
    public void VarbitInt(long value)
    {
        if (value == 0)
        {
            Bit(false);
            return;
        }

        for (var bucket = 1; bucket <= 7; bucket++)
        {
            // The code is asymmetric: size n holds -(2^(n-1) - 1) to 2^(n-1).
            var size = SizeOf(bucket);
            var half = 1L << (size - 1);
            if (value > -half && value <= half)
            {
                Prefixed(bucket, (ulong)value, size);
                return;
            }
        }

        Prefixed(8, (ulong)value, 64);
    }

    /// <summary>Writes an unsigned integer in the bit-bucketed code.</summary>
    public void VarbitUInt(ulong value)
    {
        if (value == 0)
        {
            Bit(false);
            return;
        }

        for (var bucket = 1; bucket <= 7; bucket++)
        {
            if (value >> SizeOf(bucket) == 0)
            {
                Prefixed(bucket, value, SizeOf(bucket));
                return;
            }
        }

        Prefixed(8, value, 64);
    }

    public void Double(double value) => Bits(BitConverter.DoubleToUInt64Bits(value), 64);

    private static int SizeOf(int bucket) => bucket switch { 1 => 3, 2 => 6, 3 => 9, 4 => 12, 5 => 18, 6 => 25, _ => 56 };

    // As many ones as the bucket's number, then a zero, which the eighth does without.
    private void Prefixed(int bucket, ulong value, int size)
    {
        if (bucket == 8)
        {
            Bits(0xff, 8);
        }
        else
        {
            Bits((1UL << (bucket + 1)) - 2, bucket + 1);
        }

        Bits(size == 64 ? value : value & ((1UL << size) - 1), size);
    }
}
