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

    private readonly Dictionary<ushort, int> counts = [];
    private readonly List<(ushort Part, int Count)> ranked = [];
    private readonly ushort[] parts = new ushort[DenseValues.MaxUpperParts];
    private readonly ulong[] numbers = new ulong[DenseChunk.MaxSamples];
    private readonly int[] exceptions = new int[DenseChunk.MaxSamples];

    /// <summary>Writes the bits of values; returns the bytes written.</summary>
    public int Write(ReadOnlySpan<ulong> bits, Span<byte> to)
    {
        var lowerBits = BestSplit(bits);
        var size = Rank(bits, lowerBits, 1, out _);
        to[0] = (byte)lowerBits;
        to[1] = (byte)size;
        var at = 2;
        for (var i = 0; i < size; i++, at += sizeof(ushort))
        {
            parts[i] = ranked[i].Part;
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

    private int BestSplit(ReadOnlySpan<ulong> bits)
    {
        var best = DenseValues.MinLowerBits;
        var least = double.MaxValue;
        for (var lowerBits = DenseValues.MinLowerBits; lowerBits <= BitPacking.MaxWidth; lowerBits++)
        {
            Rank(bits, lowerBits, Math.Max(1, bits.Length / Samples), out var bitsEach);
            if (bitsEach < least)
            {
                least = bitsEach;
                best = lowerBits;
            }
        }

        return best;
    }

    // Ranks the upper parts by how many values have them; gives how many of them make the shortest form, and its bits a value.
    private int Rank(ReadOnlySpan<ulong> bits, int lowerBits, int every, out double bitsEach)
    {
        counts.Clear();
        var looked = 0;
        for (var i = 0; i < bits.Length; i += every, looked++)
        {
            System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(counts, (ushort)(bits[i] >> lowerBits), out _)++;
        }

        ranked.Clear();
        foreach (var (part, count) in counts)
        {
            ranked.Add((part, count));
        }

        ranked.Sort(static (a, b) => a.Count != b.Count ? b.Count.CompareTo(a.Count) : a.Part.CompareTo(b.Part));
        var size = 1;
        bitsEach = double.MaxValue;
        var covered = 0;
        for (int i = 0, next = 1; i < Math.Min(ranked.Count, DenseValues.MaxUpperParts); i++)
        {
            covered += ranked[i].Count;
            if (i + 1 != next && i + 1 != Math.Min(ranked.Count, DenseValues.MaxUpperParts))
            {
                continue;
            }

            var each = lowerBits + DenseValues.WidthOf(i + 1) + ((double)(looked - covered) * ExceptionBits / looked) + (16.0 * (i + 1) / (looked * every));
            if (each < bitsEach)
            {
                bitsEach = each;
                size = i + 1;
            }

            next *= 2;
        }

        return size;
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
