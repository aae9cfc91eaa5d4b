using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Metrics.Wire;

/// <summary>Encodes Snappy's block format; see <see cref="SnappyDecoder"/> for its shape.</summary>
/// <remarks>
/// A greedy matcher: the four bytes at the cursor are looked up in a hash table of earlier positions; a hit is extended as far as it goes and
/// becomes copies, what lies between hits becomes literals. The longer nothing is found, the larger the steps, so that incompressible input
/// costs little. Input is cut into fragments of 64 KiB, so positions fit 16 bits and offsets two bytes.
/// </remarks>
public static unsafe class SnappyEncoder
{
    private const int FragmentBytes = 1 << 16;
    private const int MaxTableBits = 14;

    // Matching stops this far before the end, so that loads of 8 bytes need no check.
    private const int Margin = 15;

    /// <summary>The most bytes that a block of so much input can take.</summary>
    public static int MaxEncodedLength(int inputBytes) => checked(32 + inputBytes + (inputBytes / 6));

    /// <summary>Encodes into the caller's buffer of at least <see cref="MaxEncodedLength"/> bytes; returns the length of the block.</summary>
    /// <exception cref="ArgumentException">The buffer is too short.</exception>
    public static int Encode(ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (output.Length < MaxEncodedLength(input.Length))
        {
            throw new ArgumentException($"the output has {output.Length} bytes, {MaxEncodedLength(input.Length)} may be needed", nameof(output));
        }

        var table = ArrayPool<ushort>.Shared.Rent(1 << MaxTableBits);
        try
        {
            fixed (byte* source = input)
            fixed (byte* target = output)
            fixed (ushort* slots = table)
            {
                var to = target + Model.Varint.Write(output, (ulong)input.Length);
                for (var start = 0; start < input.Length; start += FragmentBytes)
                {
                    to = EncodeFragment(source + start, Math.Min(FragmentBytes, input.Length - start), to, slots);
                }

                return (int)(to - target);
            }
        }
        finally
        {
            ArrayPool<ushort>.Shared.Return(table);
        }
    }

    /// <summary>Encodes and appends the block to a writer.</summary>
    public static void Encode(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        var span = output.GetSpan(MaxEncodedLength(input.Length));
        output.Advance(Encode(input, span));
    }

    private static byte* EncodeFragment(byte* source, int length, byte* to, ushort* slots)
    {
        if (length <= Margin)
        {
            return PutLiteral(to, source, length);
        }

        var bits = Math.Clamp(32 - BitOperations.LeadingZeroCount((uint)length - 1), 8, MaxTableBits);
        var shift = 32 - bits;
        new Span<ushort>(slots, 1 << bits).Clear();

        var limit = source + length - Margin;
        var pending = source;
        var at = source + 1;
        while (true)
        {
            var skip = 32u;
            byte* match;
            while (true)
            {
                if (at >= limit)
                {
                    return PutLiteral(to, pending, (int)(source + length - pending));
                }

                var word = Load32(at);
                var slot = slots + Hash(word, shift);
                match = source + *slot;
                *slot = (ushort)(at - source);

                // An empty slot means position 0, which is as good a candidate as any: the bytes are compared.
                if (Load32(match) == word)
                {
                    break;
                }

                at += skip++ >> 5;
            }

            if (at > pending)
            {
                to = PutLiteral(to, pending, (int)(at - pending));
            }

            var run = MatchLength(match + 4, at + 4, source + length) + 4;
            to = PutCopy(to, (int)(at - match), run);
            at += run;
            pending = at;
            if (at < limit)
            {
                slots[Hash(Load32(at - 1), shift)] = (ushort)(at - 1 - source);
            }
        }
    }

    private static int MatchLength(byte* earlier, byte* later, byte* end)
    {
        var start = later;
        while (end - later >= 8)
        {
            var difference = Unsafe.ReadUnaligned<ulong>(earlier) ^ Unsafe.ReadUnaligned<ulong>(later);
            if (difference != 0)
            {
                return (int)(later - start) + (BitOperations.TrailingZeroCount(difference) >> 3);
            }

            earlier += 8;
            later += 8;
        }

        while (later < end && *earlier == *later)
        {
            earlier++;
            later++;
        }

        return (int)(later - start);
    }

    private static byte* PutLiteral(byte* to, byte* from, int length)
    {
        if (length == 0)
        {
            return to;
        }

        var n = length - 1;
        if (n < 60)
        {
            *to++ = (byte)(n << 2);
        }
        else if (n < 256)
        {
            *to++ = 60 << 2;
            *to++ = (byte)n;
        }
        else
        {
            *to++ = 61 << 2;
            *to++ = (byte)n;
            *to++ = (byte)(n >> 8);
        }

        Buffer.MemoryCopy(from, to, length, length);
        return to + length;
    }

    private static byte* PutCopy(byte* to, int offset, int length)
    {
        // The last piece keeps at least four bytes, so that it may use the short form.
        while (length >= 68)
        {
            to = PutLongCopy(to, offset, 64);
            length -= 64;
        }

        if (length > 64)
        {
            to = PutLongCopy(to, offset, 60);
            length -= 60;
        }

        if (length >= 12 || offset >= 2048)
        {
            return PutLongCopy(to, offset, length);
        }

        *to++ = (byte)(1 | ((length - 4) << 2) | ((offset >> 8) << 5));
        *to++ = (byte)offset;
        return to;
    }

    private static byte* PutLongCopy(byte* to, int offset, int length)
    {
        to[0] = (byte)(2 | ((length - 1) << 2));
        to[1] = (byte)offset;
        to[2] = (byte)(offset >> 8);
        return to + 3;
    }

    private static uint Load32(byte* from) => Unsafe.ReadUnaligned<uint>(from);

    private static uint Hash(uint word, int shift) => (word * 0x1E35A7BD) >> shift;
}
