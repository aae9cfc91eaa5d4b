using System.Numerics;
using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Finds the shortest form of a run of integers that <see cref="PackedIntegers"/> reads, and writes it. Reused; not thread-safe.</summary>
internal sealed class IntegerEncoder
{
    private const int LengthClasses = 65;
    private const int Samples = 32;
    private const ulong OddLimit = 1UL << 32;
    private const int WindowLength = PackedIntegers.BlockLength;

    private readonly long[] residuals = new long[DenseChunk.MaxSamples];
    private readonly ulong[] offsets = new ulong[DenseChunk.MaxSamples];
    private readonly long[] sampled = new long[Samples];

    // How many offsets of a block, and of all blocks, have so many bits; and how many lie below the base.
    private readonly int[] blockLengths = new int[LengthClasses];
    private readonly int[] allLengths = new int[LengthClasses];

    /// <summary>The most bytes that so many integers take: every one an exception of a varint, and heads.</summary>
    public static int MaxBytes(int count) => 64 + (count * 14);

    /// <summary>Writes the integers; returns the bytes written. The span has <see cref="MaxBytes"/>.</summary>
    public int Encode(ReadOnlySpan<long> integers, Span<byte> to)
    {
        var plan = Best(integers);
        return Write(integers, plan, to);
    }

    private Plan Best(ReadOnlySpan<long> integers)
    {
        if (integers.Length < 3 || !integers.ContainsAnyExcept(integers[0]))
        {
            return PlanOf(integers, 0, 0);
        }

        // The slope is that from end to end, which a gap or a reset makes useless; then differences do better.
        var slope = MeanSlope(integers);
        if (integers.Length <= 2 * WindowLength)
        {
            return BestOf(integers, slope);
        }

        // What predicts a window in the middle best predicts the rest, unless nothing happens there.
        var likely = BestOf(integers.Slice((integers.Length - WindowLength) / 2, WindowLength), slope);
        return likely.ResidualBits == 0 ? BestOf(integers, slope) : PlanOf(integers, likely.Order, likely.Slope);
    }

    private Plan BestOf(ReadOnlySpan<long> integers, long slope)
    {
        var best = PlanOf(integers, 0, 0);
        Improve(ref best, integers, 0, slope);
        Improve(ref best, integers, 1, 0);
        Improve(ref best, integers, 2, 0);
        return best;
    }

    // Rounded to the nearest: a step one too short makes a ramp of what was jitter.
    private static long MeanSlope(ReadOnlySpan<long> integers)
    {
        var (slope, left) = Math.DivRem(unchecked(integers[^1] - integers[0]), integers.Length - 1);
        return 2 * Math.Abs(left) >= integers.Length - 1 ? slope + Math.Sign(left) : slope;
    }

    private void Improve(ref Plan best, ReadOnlySpan<long> integers, int order, long slope)
    {
        if (best.ResidualBits == 0 || (order == 0 && slope == 0))
        {
            return;
        }

        var other = PlanOf(integers, order, slope);
        if (other.Bits < best.Bits)
        {
            best = other;
        }
    }

    private Plan PlanOf(ReadOnlySpan<long> integers, int order, long slope)
    {
        var rest = Predict(integers, order, slope);
        long least = long.MaxValue, most = long.MinValue;
        foreach (var residual in rest)
        {
            least = Math.Min(least, residual);
            most = Math.Max(most, residual);
        }

        var plan = new Plan { Order = order, Slope = slope, Least = least, Factor = 1, HeadBits = HeadBits(integers, order, slope, least) };
        if (least == most)
        {
            return plan;
        }

        // Where a difference exceeds what a signed integer holds, quotients below a base would be wrong.
        plan.Factor = unchecked(most - least) > 0 ? FactorOf(rest, least) : 1;
        plan.HeadBits += plan.Factor > 1 ? Varint.Length((ulong)plan.Factor) * 8 : 0;
        Price(ref plan, rest);
        var other = plan;
        if (RobustBase(rest, plan) is { } higher)
        {
            other.Least = higher;
            Price(ref other, rest);
        }

        return other.Bits < plan.Bits ? other : plan;
    }

    private Span<long> Predict(ReadOnlySpan<long> integers, int order, long slope)
    {
        var rest = residuals.AsSpan(0, integers.Length - order);
        switch (order)
        {
            case 0:
                var line = 0L;
                for (var i = 0; i < rest.Length; i++)
                {
                    rest[i] = unchecked(integers[i] - line);
                    line = unchecked(line + slope);
                }

                break;
            case 1:
                for (var i = 0; i < rest.Length; i++)
                {
                    rest[i] = unchecked(integers[i + 1] - integers[i]);
                }

                break;
            default:
                for (var i = 0; i < rest.Length; i++)
                {
                    rest[i] = unchecked(integers[i + 2] - integers[i + 1] - (integers[i + 1] - integers[i]));
                }

                break;
        }

        return rest;
    }

    private static int HeadBits(ReadOnlySpan<long> integers, int order, long slope, long least)
    {
        var bytes = 1 + SignedBytes(order == 0 ? least : integers[0]);
        bytes += order == 0 && slope != 0 ? SignedBytes(slope) : 0;
        bytes += order == 2 ? SignedBytes(unchecked(integers[1] - integers[0])) : 0;
        bytes += order > 0 ? SignedBytes(least) : 0;
        return bytes * 8;
    }

    // Bytes in memory come in pages, and floats of 32 bits have zeros at their ends.
    private static long FactorOf(ReadOnlySpan<long> rest, long least)
    {
        ulong union = 0;
        foreach (var residual in rest)
        {
            union |= unchecked((ulong)(residual - least));
        }

        var zeros = BitOperations.TrailingZeroCount(union);
        ulong odd = 0;
        foreach (var residual in rest)
        {
            var part = unchecked((ulong)(residual - least)) >> zeros;
            odd = part < OddLimit && odd < OddLimit ? Gcd((uint)odd, (uint)part) : Gcd(odd, part);
            if (odd == 1)
            {
                break;
            }
        }

        return (long)(odd << zeros);
    }

    private static ulong Gcd(ulong a, ulong b)
    {
        while (b != 0)
        {
            (a, b) = (b, a % b);
        }

        return a;
    }

    // Most processors divide 32 bits several times faster.
    private static uint Gcd(uint a, uint b)
    {
        while (b != 0)
        {
            (a, b) = (b, a % b);
        }

        return a;
    }

    // A base above a few outliers, when they make all the rest wide; null when nothing says so.
    private long? RobustBase(ReadOnlySpan<long> rest, Plan plan)
    {
        if (rest.Length < Samples)
        {
            return null;
        }

        for (var i = 0; i < Samples; i++)
        {
            sampled[i] = rest[(int)((long)i * rest.Length / Samples)];
        }

        Array.Sort(sampled);
        var (low, high) = (sampled[2], sampled[Samples - 3]);
        var spread = unchecked((ulong)(high - low));
        var below = unchecked((ulong)(low - plan.Least));
        if (low < plan.Least || below <= spread || below <= (ulong)plan.Factor)
        {
            return null;
        }

        // As far below the low tenth as that lies below the high one, in steps of the factor from the least.
        var wanted = below - Math.Min(spread / 2, below);
        return unchecked(plan.Least + (long)(wanted / (ulong)plan.Factor * (ulong)plan.Factor));
    }

    private void Price(ref Plan plan, ReadOnlySpan<long> rest)
    {
        Offsets(rest, plan.Least, plan.Factor);
        Array.Clear(allLengths);
        var blocksBits = 0;
        for (var at = 0; at < rest.Length; at += PackedIntegers.BlockLength)
        {
            var block = offsets.AsSpan(at, Math.Min(PackedIntegers.BlockLength, rest.Length - at));
            CountLengths(block);
            BestWidth(blockLengths, block.Length, out var bits);
            blocksBits += bits;
            for (var i = 0; i < LengthClasses; i++)
            {
                allLengths[i] += blockLengths[i];
            }
        }

        BestWidth(allLengths, rest.Length, out var wholeBits);
        plan.IsOneBlock = wholeBits <= blocksBits;
        plan.ResidualBits = Math.Min(wholeBits, blocksBits);
    }

    private void Offsets(ReadOnlySpan<long> rest, long least, long factor)
    {
        for (var i = 0; i < rest.Length; i++)
        {
            offsets[i] = unchecked((ulong)(rest[i] - least));
        }

        if (BitOperations.IsPow2(factor))
        {
            var zeros = BitOperations.TrailingZeroCount(factor);
            for (var i = 0; zeros > 0 && i < rest.Length; i++)
            {
                offsets[i] = rest[i] < least ? unchecked((ulong)((long)offsets[i] >> zeros)) : offsets[i] >> zeros;
            }
        }
        else
        {
            for (var i = 0; i < rest.Length; i++)
            {
                // Below the base the quotient is that of the signed difference.
                offsets[i] = rest[i] < least ? unchecked((ulong)((long)offsets[i] / factor)) : offsets[i] / (ulong)factor;
            }
        }
    }

    private void CountLengths(ReadOnlySpan<ulong> block)
    {
        Array.Clear(blockLengths);
        foreach (var offset in block)
        {
            blockLengths[64 - BitOperations.LeadingZeroCount(offset)]++;
        }
    }

    /// <summary>The width at which a block takes the fewest bits, exceptions included.</summary>
    private static int BestWidth(ReadOnlySpan<int> lengths, int count, out int bits)
    {
        var widest = LengthClasses - 1;
        while (widest > 0 && lengths[widest] == 0)
        {
            widest--;
        }

        var best = widest <= BitPacking.MaxWidth ? widest : 64;
        bits = 8 + (count * best);
        var exceptions = 0;
        var exceptionBits = 16;
        for (var width = widest - 1; width >= 0; width--)
        {
            // What is one bit longer than the width becomes an exception: its distance, and a varint of its bits and the sign.
            exceptions += lengths[width + 1];
            exceptionBits += lengths[width + 1] * (8 + ((width + 8) / 7 * 8));
            if (exceptionBits >= bits)
            {
                break;
            }

            var total = 8 + exceptionBits + (count * width);
            if (width <= BitPacking.MaxWidth && total < bits)
            {
                best = width;
                bits = total;
            }
        }

        bits = (bits + 7) & ~7;
        return best;
    }

    private int Write(ReadOnlySpan<long> integers, Plan plan, Span<byte> to)
    {
        var rest = Predict(integers, plan.Order, plan.Slope);
        var isExact = plan.ResidualBits == 0;
        to[0] = (byte)(plan.Order | (plan.Order == 0 && plan.Slope != 0 ? PackedIntegers.HasSlope : 0) | (isExact ? PackedIntegers.IsExact : 0)
            | (!isExact && plan.Factor > 1 ? PackedIntegers.HasFactor : 0) | (!isExact && plan.IsOneBlock ? PackedIntegers.IsOneBlock : 0));
        var at = 1 + Varint.WriteSigned(to[1..], plan.Order == 0 ? plan.Least : integers[0]);
        if (plan.Order == 0 && plan.Slope != 0)
        {
            at += Varint.WriteSigned(to[at..], plan.Slope);
        }

        if (plan.Order == 2)
        {
            at += Varint.WriteSigned(to[at..], unchecked(integers[1] - integers[0]));
        }

        if (plan.Order > 0)
        {
            at += Varint.WriteSigned(to[at..], plan.Least);
        }

        if (isExact)
        {
            return at;
        }

        if (plan.Factor > 1)
        {
            at += Varint.Write(to[at..], (ulong)plan.Factor);
        }

        Offsets(rest, plan.Least, plan.Factor);
        var blockLength = plan.IsOneBlock ? rest.Length : PackedIntegers.BlockLength;
        for (var start = 0; start < rest.Length; start += blockLength)
        {
            at += WriteBlock(offsets.AsSpan(start, Math.Min(blockLength, rest.Length - start)), to[at..]);
        }

        return at;
    }

    private int WriteBlock(Span<ulong> block, Span<byte> to)
    {
        CountLengths(block);
        var width = BestWidth(blockLengths, block.Length, out _);
        var exceptions = 0;
        for (var length = width + 1; length < LengthClasses; length++)
        {
            exceptions += blockLengths[length];
        }

        to[0] = (byte)(width | (exceptions > 0 ? PackedIntegers.HasExceptions : 0));
        var at = 1 + (exceptions > 0 ? Varint.Write(to[1..], (ulong)exceptions) : 0);
        var packedBytes = BitPacking.Bytes(block.Length, width);
        BitPacking.Pack(block, width, to.Slice(at, packedBytes));
        at += packedBytes;
        for (int i = 0, last = -1; exceptions > 0; i++)
        {
            if (BitOperations.LeadingZeroCount(block[i]) < 64 - width)
            {
                at += Varint.Write(to[at..], (ulong)(i - last - 1));
                at += Varint.WriteSigned(to[at..], (long)block[i]);
                last = i;
                exceptions--;
            }
        }

        return at;
    }

    private static int SignedBytes(long value) => Varint.Length(((ulong)value << 1) ^ (ulong)(value >> 63));

    [StructLayout(LayoutKind.Auto)]
    private struct Plan
    {
        public int Order;
        public long Slope;
        public long Least;
        public long Factor;
        public bool IsOneBlock;
        public int HeadBits;
        public int ResidualBits;

        public readonly int Bits => HeadBits + ResidualBits;
    }
}
