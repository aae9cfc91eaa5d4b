using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Metrics.Storage;

/// <summary>Integers of one width side by side: integer i takes the bits from i * width on, the least significant bit first.</summary>
/// <remarks>
/// Eight integers of w bits end at a byte, so a group of eight is unpacked with offsets, byte shuffles and shifts that depend on the width alone (Willhalm et al., "SIMD-Scan", 2009).
/// Without AVX2 each integer is one unaligned load, shift and mask. The width is at most <see cref="MaxWidth"/>, so that an integer never crosses its eight bytes, or 64.
/// </remarks>
internal static class BitPacking
{
    /// <summary>The widest below 64: with up to seven bits before it, an integer still lies in eight bytes.</summary>
    public const int MaxWidth = 57;

    private static readonly Group[] Groups = MakeGroups();

    /// <summary>True when integers can be packed at this width.</summary>
    public static bool IsWidth(int width) => width is >= 0 and <= MaxWidth or 64;

    /// <summary>The bytes that so many integers take.</summary>
    public static int Bytes(int count, int width) => ((count * width) + 7) >> 3;

    /// <summary>Packs the low bits of integers; the bytes must be <see cref="Bytes"/> long, and are overwritten.</summary>
    public static void Pack(ReadOnlySpan<ulong> from, int width, Span<byte> to)
    {
        if (width == 64)
        {
            for (var i = 0; i < from.Length; i++)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(to[(i * 8)..], from[i]);
            }

            return;
        }

        var mask = (1UL << width) - 1;
        ulong word = 0;
        int filled = 0, at = 0;
        foreach (var integer in from)
        {
            word |= (integer & mask) << filled;
            filled += width;
            if (filled >= 64)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(to[at..], word);
                at += 8;
                filled -= 64;
                word = filled == 0 ? 0 : (integer & mask) >> (width - filled);
            }
        }

        for (; filled > 0; filled -= 8)
        {
            to[at++] = (byte)word;
            word >>= 8;
        }
    }

    /// <summary>Unpacks as many integers as <paramref name="into"/> takes. The bytes are at least <see cref="Bytes"/>; the caller has checked.</summary>
    public static void Unpack(ReadOnlySpan<byte> from, int width, Span<ulong> into)
    {
        if (width == 0)
        {
            into.Clear();
        }
        else if (width == 64)
        {
            for (var i = 0; i < into.Length; i++)
            {
                into[i] = BinaryPrimitives.ReadUInt64LittleEndian(from[(i * 8)..]);
            }
        }
        else
        {
            var done = Avx2.IsSupported && BitConverter.IsLittleEndian ? UnpackGroups(from, width, into) : 0;
            UnpackEach(from, width, into, done);
        }
    }

    /// <summary>Unpacks one by one from an index on: what every machine can, and what the vectors are tested against.</summary>
    public static void UnpackEach(ReadOnlySpan<byte> from, int width, Span<ulong> into, int first)
    {
        var mask = (1UL << width) - 1;
        var bit = first * width;
        var i = first;

        // Fast path: eight bytes can be read from where the integer begins.
        for (; i < into.Length && (bit >> 3) + 8 <= from.Length; i++, bit += width)
        {
            into[i] = (BinaryPrimitives.ReadUInt64LittleEndian(from[(bit >> 3)..]) >> (bit & 7)) & mask;
        }

        Span<byte> end = stackalloc byte[8];
        for (; i < into.Length; i++, bit += width)
        {
            end.Clear();
            from[(bit >> 3)..].CopyTo(end);
            into[i] = (BinaryPrimitives.ReadUInt64LittleEndian(end) >> (bit & 7)) & mask;
        }
    }

    // Four integers at a time: two 16-byte loads, each of which holds two of them, brought to 64 bits and shifted into place. Gives how many are done.
    private static int UnpackGroups(ReadOnlySpan<byte> from, int width, Span<ulong> into)
    {
        ref readonly var group = ref Groups[width];
        var mask = Vector256.Create((1UL << width) - 1);
        ref var source = ref MemoryMarshal.GetReference(from);
        ref var target = ref MemoryMarshal.GetReference(into);
        var readBytes = group.Offset3 + Vector128<byte>.Count;
        var done = 0;
        for (var at = 0; done + 8 <= into.Length && at + readBytes <= from.Length; at += width, done += 8)
        {
            var low = Vector256.Create(Vector128.LoadUnsafe(ref source, (nuint)at), Vector128.LoadUnsafe(ref source, (nuint)(at + group.Offset1)));
            var high = Vector256.Create(Vector128.LoadUnsafe(ref source, (nuint)(at + group.Offset2)), Vector128.LoadUnsafe(ref source, (nuint)(at + group.Offset3)));
            (Avx2.ShiftRightLogicalVariable(Avx2.Shuffle(low, group.ShuffleLow).AsUInt64(), group.ShiftLow) & mask).StoreUnsafe(ref target, (nuint)done);
            (Avx2.ShiftRightLogicalVariable(Avx2.Shuffle(high, group.ShuffleHigh).AsUInt64(), group.ShiftHigh) & mask).StoreUnsafe(ref target, (nuint)(done + 4));
        }

        return done;
    }

    private static Group[] MakeGroups()
    {
        var groups = new Group[MaxWidth + 1];
        for (var width = 1; width <= MaxWidth; width++)
        {
            groups[width] = new Group
            {
                Offset1 = 2 * width >> 3,
                Offset2 = 4 * width >> 3,
                Offset3 = 6 * width >> 3,
                ShuffleLow = Vector256.Create(Shuffle(0, width), Shuffle(2, width)),
                ShuffleHigh = Vector256.Create(Shuffle(4, width), Shuffle(6, width)),
                ShiftLow = Vector256.Create(0UL, (ulong)(width & 7), (ulong)(2 * width & 7), (ulong)(3 * width & 7)),
                ShiftHigh = Vector256.Create((ulong)(4 * width & 7), (ulong)(5 * width & 7), (ulong)(6 * width & 7), (ulong)(7 * width & 7)),
            };
        }

        return groups;
    }

    // The eight bytes in which an integer begins, and the eight of the next.
    private static Vector128<byte> Shuffle(int integer, int width)
    {
        var next = ((integer + 1) * width >> 3) - (integer * width >> 3);
        Span<byte> indexes = stackalloc byte[16];
        for (var i = 0; i < 8; i++)
        {
            indexes[i] = (byte)i;
            indexes[8 + i] = (byte)(next + i);
        }

        return Vector128.Create<byte>(indexes);
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Group
    {
        public int Offset1;
        public int Offset2;
        public int Offset3;
        public Vector256<byte> ShuffleLow;
        public Vector256<byte> ShuffleHigh;
        public Vector256<ulong> ShiftLow;
        public Vector256<ulong> ShiftHigh;
    }
}
