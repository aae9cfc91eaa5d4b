using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Writes values whose lower bits are noise: the few upper parts that most of them have by number, the lower parts as they are. Reused; not thread-safe.</summary>
/// <remarks>ALP_rd (Afroozeh, Kuffo, Boncz, SIGMOD 2024): sign, exponent and the first bits of the mantissa of one series are much alike, whatever follows.</remarks>
internal sealed class SplitEncoder
{
    /// <summary>Values that are looked at to choose where to split.</summary>
    private const int Samples = 128;

    /// <summary>Bits that an upper part outside the dictionary takes beside its number.</summary>
    private const int ExceptionBits = 24;

    private readonly ushort[] sampled = new ushort[Samples];
    private readonly int[] counts = new int[DenseValues.MaxUpperParts];
    private readonly ushort[] parts = new ushort[DenseValues.MaxUpperParts];
    private readonly ulong[] numbers = new ulong[DenseChunk.MaxSamples];
    private readonly int[] exceptions = new int[DenseChunk.MaxSamples];

    /// <summary>Writes the bits of values; returns the bytes written.</summary>
    public int Write(ReadOnlySpan<ulong> bits, Span<byte> to)
    {
        var lowerBits = BestSplit(bits, out var size);
        to[0] = (byte)lowerBits;
        to[1] = (byte)size;
        var at = 2;
        for (var i = 0; i < size; i++, at += sizeof(ushort))
        {
            BinaryPrimitives.WriteUInt16BigEndian(to[at..], parts[i]);
        }

        var count = Number(bits, lowerBits, size);
        at += Packed(numbers.AsSpan(0, bits.Length), DenseValues.WidthOf(size), to[at..]);
        at += Packed(bits, lowerBits, to[at..]);
        at += Varint.Write(to[at..], (ulong)count);
        var last = -1;
        foreach (var index in exceptions.AsSpan(0, count))
        {
            at += Varint.Write(to[at..], (ulong)(index - last - 1));
            BinaryPrimitives.WriteUInt16BigEndian(to[at..], (ushort)(bits[index] >> lowerBits));
            at += sizeof(ushort);
            last = index;
        }

        return at;
    }

    private static int Packed(ReadOnlySpan<ulong> integers, int width, Span<byte> to)
    {
        var length = BitPacking.Bytes(integers.Length, width);
        BitPacking.Pack(integers, width, to[..length]);
        return length;
    }

    private int BestSplit(ReadOnlySpan<ulong> bits, out int bestSize)
    {
        var looked = Math.Min(Samples, bits.Length);
        for (var i = 0; i < looked; i++)
        {
            sampled[i] = (ushort)(bits[(int)((long)i * bits.Length / looked)] >> DenseValues.MinLowerBits);
        }

        var ascending = sampled.AsSpan(0, looked);
        ascending.Sort();
        var best = DenseValues.MinLowerBits;
        var least = double.MaxValue;
        for (var lowerBits = DenseValues.MinLowerBits; lowerBits <= BitPacking.MaxWidth; lowerBits++)
        {
            Rank(ascending, lowerBits, out var bitsEach);
            if (bitsEach < least)
            {
                least = bitsEach;
                best = lowerBits;
            }
        }

        bestSize = Rank(ascending, best, out _);
        return best;
    }

    /// <summary>Finds the upper parts that most of the ascending sample have, the most frequent first; gives how many of them make the shortest form, and its bits a value.</summary>
    private int Rank(ReadOnlySpan<ushort> ascending, int lowerBits, out double bitsEach)
    {
        var shift = lowerBits - DenseValues.MinLowerBits;
        var found = 0;
        for (var at = 0; at < ascending.Length;)
        {
            var part = (ushort)(ascending[at] >> shift);
            var end = at + 1;
            while (end < ascending.Length && ascending[end] >> shift == part)
            {
                end++;
            }

            found = Insert(part, end - at, found);
            at = end;
        }

        var size = 1;
        var covered = 0;
        bitsEach = double.MaxValue;
        for (var i = 0; i < found; i++)
        {
            covered += counts[i];
            var each = lowerBits + DenseValues.WidthOf(i + 1) + ((double)(ascending.Length - covered) * ExceptionBits / ascending.Length);
            if (each < bitsEach)
            {
                bitsEach = each;
                size = i + 1;
            }
        }

        return size;
    }

    private int Insert(ushort part, int count, int found)
    {
        var at = Math.Min(found, DenseValues.MaxUpperParts);
        while (at > 0 && counts[at - 1] < count)
        {
            at--;
        }

        if (at == DenseValues.MaxUpperParts)
        {
            return found;
        }

        var kept = Math.Min(found, DenseValues.MaxUpperParts - 1);
        Array.Copy(counts, at, counts, at + 1, kept - at);
        Array.Copy(parts, at, parts, at + 1, kept - at);
        counts[at] = count;
        parts[at] = part;
        return kept + 1;
    }

    private int Number(ReadOnlySpan<ulong> bits, int lowerBits, int size)
    {
        var known = parts.AsSpan(0, size);
        var count = 0;
        for (var i = 0; i < bits.Length; i++)
        {
            var number = known.IndexOf((ushort)(bits[i] >> lowerBits));
            if (number < 0)
            {
                exceptions[count++] = i;
                number = 0;
            }

            numbers[i] = (ulong)number;
        }

        return count;
    }
}
