using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Metrics.Storage;

/// <summary>Reads a run of 64-bit integers that is coded as a line, or by its first or second differences, plus small residuals in packed blocks; FORMAT.md draws it.</summary>
/// <remarks>All arithmetic is modulo 2^64, so any integers can be coded; which prediction fits is the encoder's to find. Patched frames of reference: Zukowski et al., ICDE 2006.</remarks>
internal static class PackedIntegers
{
    /// <summary>Residuals in a block, where there is more than one block.</summary>
    public const int BlockLength = 128;

    /// <summary>The prediction: a line (0), or the first (1) or second (2) differences.</summary>
    public const int OrderMask = 0b11;

    /// <summary>The line has a slope.</summary>
    public const int HasSlope = 1 << 2;

    /// <summary>Residuals are multiples of a factor.</summary>
    public const int HasFactor = 1 << 3;

    /// <summary>All residuals are zero and not written.</summary>
    public const int IsExact = 1 << 4;

    /// <summary>There is one block, however many residuals there are.</summary>
    public const int IsOneBlock = 1 << 5;

    /// <summary>In the head of a block: exceptions follow the packed residuals.</summary>
    public const byte HasExceptions = 0x80;

    private const int AllFlags = OrderMask | HasSlope | HasFactor | IsExact | IsOneBlock;

    /// <summary>Reads a run of as many integers as <paramref name="into"/> takes, and fills in those from one index up to another; the rest of it is left in any state.</summary>
    /// <exception cref="InvalidDataException">The bytes are damaged.</exception>
    public static void Read(scoped ref DenseReader from, Span<long> into, int first, int end)
    {
        var head = from.Byte();
        var order = head & OrderMask;
        if ((head & ~AllFlags) != 0 || order > 2 || order >= into.Length + (order == 0 ? 1 : 0) || (order > 0 && (head & HasSlope) != 0))
        {
            DenseReader.Throw($"{head:x2} is no head of {into.Length} integers");
        }

        var start = from.SVarint();
        var slope = (head & HasSlope) != 0 || order == 2 ? from.SVarint() : 0;
        var least = order > 0 ? from.SVarint() : 0;
        var factor = (head & HasFactor) != 0 ? (long)from.UVarint() : 1;
        var residuals = into[order..];
        if ((head & IsExact) != 0)
        {
            residuals.Clear();
        }
        else
        {
            // Differences add up from the front; a line is looked at anywhere.
            ReadBlocks(ref from, residuals, (head & IsOneBlock) != 0 ? residuals.Length : BlockLength, order == 0 ? first : 0, Math.Max(end - order, 0));
        }

        switch (order)
        {
            case 0:
                AddLine(into, start, slope, factor, first, end);
                break;
            case 1:
                Sum(into[..end], start, least, factor);
                break;
            default:
                SumTwice(into[..end], start, slope, least, factor);
                break;
        }
    }

    private static void ReadBlocks(scoped ref DenseReader from, Span<long> residuals, int blockLength, int first, int end)
    {
        for (var at = 0; at < residuals.Length; at += blockLength)
        {
            var length = Math.Min(blockLength, residuals.Length - at);
            var head = from.Byte();
            var width = head & ~HasExceptions;
            if (!BitPacking.IsWidth(width))
            {
                DenseReader.Throw($"a block of integers is {width} bits wide");
            }

            var exceptions = (head & HasExceptions) != 0 ? from.Bounded(length, "the number of exceptions") : 0;
            var packed = from.Take(BitPacking.Bytes(length, width));
            var block = residuals.Slice(at, length);
            if (at < end && at + length > first)
            {
                BitPacking.Unpack(packed, width, MemoryMarshal.Cast<long, ulong>(block));
            }

            for (var position = -1; exceptions > 0; exceptions--)
            {
                position += 1 + from.Bounded(length, "the distance of an exception");
                var value = from.SVarint();
                if (position >= length)
                {
                    DenseReader.Throw($"an exception stands at {position} in a block of {length}");
                }

                block[position] = value;
            }
        }
    }

    private static void AddLine(Span<long> into, long start, long slope, long factor, int first, int end)
    {
        var part = into[first..end];
        if (factor != 1)
        {
            for (var i = 0; i < part.Length; i++)
            {
                part[i] = unchecked(part[i] * factor);
            }
        }

        var value = unchecked(start + (slope * first));
        var at = 0;
        if (Vector256.IsHardwareAccelerated && part.Length >= Vector256<long>.Count)
        {
            var line = unchecked(Vector256.Create(value, value + slope, value + (2 * slope), value + (3 * slope)));
            var step = Vector256.Create(unchecked(4 * slope));
            ref var target = ref MemoryMarshal.GetReference(part);
            for (; at <= part.Length - Vector256<long>.Count; at += Vector256<long>.Count)
            {
                (Vector256.LoadUnsafe(ref target, (nuint)at) + line).StoreUnsafe(ref target, (nuint)at);
                line += step;
            }

            value = unchecked(value + (slope * at));
        }

        for (; at < part.Length; at++)
        {
            part[at] = unchecked(part[at] + value);
            value = unchecked(value + slope);
        }
    }

    private static void Sum(Span<long> into, long start, long least, long factor)
    {
        if (into.IsEmpty)
        {
            return;
        }

        into[0] = start;
        for (var i = 1; i < into.Length; i++)
        {
            start = unchecked(start + (least + (factor * into[i])));
            into[i] = start;
        }
    }

    private static void SumTwice(Span<long> into, long start, long delta, long least, long factor)
    {
        if (into.IsEmpty)
        {
            return;
        }

        into[0] = start;
        for (var i = 1; i < into.Length; i++)
        {
            delta = i == 1 ? delta : unchecked(delta + (least + (factor * into[i])));
            start = unchecked(start + delta);
            into[i] = start;
        }
    }
}
