using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Metrics.Wire;

/// <summary>Decodes Snappy's block format: a varint with the decoded length, then literals and copies.</summary>
/// <remarks>
/// The format is described in <c>format_description.txt</c> of google/snappy:
/// <code>
/// block   := uvarint32(decoded bytes) element*
/// element := literal | copy, told by the low two bits of its first byte
///   00  literal: upper six bits n; length n+1 for n &lt; 60, else n-59 little-endian bytes follow with length-1
///   01  copy:    length 4 + bits 2-4, offset = bits 5-7 as its high bits and one more byte
///   10  copy:    length 1 + upper six bits, offset in two bytes
///   11  copy:    length 1 + upper six bits, offset in four bytes
/// </code>
/// The decoder copies 16 bytes at a time, past the end of an element when there is room, because most elements are shorter than that.
/// Every read is bounded by the input and every write by the output, whatever the input says.
/// </remarks>
public static unsafe class SnappyDecoder
{
    // A copy with a two-byte offset makes 64 bytes of 3; nothing in the format expands more.
    private const int MaxExpansion = 22;

    private const int WideSlop = 64;

    /// <summary>Reads the declared length of a block and judges it, before anything is allocated for it.</summary>
    /// <exception cref="WireFormatException">
    /// <see cref="WireError.TooLarge"/> when the length exceeds <paramref name="maxBytes"/> or what so short a block could expand to;
    /// <see cref="WireError.Truncated"/> or <see cref="WireError.MalformedVarint"/> when there is no length.
    /// </exception>
    public static int ReadLength(ReadOnlySpan<byte> block, int maxBytes) => ReadLength(block, maxBytes, out _);

    /// <summary>Decodes into a pooled buffer. The caller disposes it.</summary>
    /// <exception cref="WireFormatException">As <see cref="ReadLength(ReadOnlySpan{byte}, int)"/> and <see cref="Decode(ReadOnlySpan{byte}, Span{byte})"/>.</exception>
    public static RentedBytes Decode(ReadOnlySpan<byte> block, int maxBytes)
    {
        var length = ReadLength(block, maxBytes, out var header);
        var array = ArrayPool<byte>.Shared.Rent(length + WideSlop);
        try
        {
            DecodeElements(block, header, array, length);
            return new RentedBytes(array, length);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(array);
            throw;
        }
    }

    /// <summary>Decodes into the caller's buffer and returns the decoded length. Bytes of the buffer beyond it are scratch to the decoder.</summary>
    /// <exception cref="WireFormatException">
    /// <see cref="WireError.TooLarge"/> when the buffer is shorter than the declared length; <see cref="WireError.Truncated"/>,
    /// <see cref="WireError.BadReference"/> or <see cref="WireError.LengthMismatch"/> when the elements are malformed.
    /// </exception>
    public static int Decode(ReadOnlySpan<byte> block, Span<byte> output)
    {
        var length = ReadLength(block, output.Length, out var header);
        DecodeElements(block, header, output, length);
        return length;
    }

    private static int ReadLength(ReadOnlySpan<byte> block, int maxBytes, out int headerBytes)
    {
        ulong length = 0;
        for (var at = 0; at < 5; at++)
        {
            if (at >= block.Length)
            {
                Throw(WireError.Truncated, at, "snappy: the block ends inside its length");
            }

            length |= (ulong)(block[at] & 0x7F) << (7 * at);
            if (block[at] >= 0x80)
            {
                continue;
            }

            headerBytes = at + 1;
            if (length > uint.MaxValue)
            {
                break;
            }

            if (length > (uint)maxBytes || length > int.MaxValue - WideSlop)
            {
                Throw(WireError.TooLarge, 0, $"snappy: the block declares {length} bytes, at most {maxBytes} are taken");
            }

            var possible = (ulong)(block.Length - headerBytes) * MaxExpansion;
            if (length > possible)
            {
                Throw(WireError.TooLarge, 0, $"snappy: the block declares {length} bytes, but so short a block holds at most {possible}");
            }

            return (int)length;
        }

        headerBytes = 0;
        Throw(WireError.MalformedVarint, 0, "snappy: the declared length does not fit 32 bits");
        return 0;
    }

    private static void DecodeElements(ReadOnlySpan<byte> block, int header, Span<byte> output, int length)
    {
        fixed (byte* sourceBase = block)
        fixed (byte* targetBase = output)
        {
            // room bounds wide writes, end bounds what the block may produce.
            var source = sourceBase + header;
            var sourceEnd = sourceBase + block.Length;
            var target = targetBase;
            var end = targetBase + length;
            var room = targetBase + output.Length;

            while (source < sourceEnd)
            {
                uint tag = *source;
                if ((tag & 3) == 0)
                {
                    nint literal = (nint)(tag >> 2) + 1;
                    source++;

                    // Fast path: a short literal away from both ends.
                    if (literal <= 16 && sourceEnd - source >= 16 && room - target >= 16 && literal <= end - target)
                    {
                        Copy16(source, target);
                        source += literal;
                        target += literal;
                        continue;
                    }

                    if (literal > 60)
                    {
                        literal = ReadLongLiteral(ref source, sourceEnd, (int)literal - 60, sourceBase);
                    }

                    if (literal > sourceEnd - source)
                    {
                        Throw(WireError.Truncated, source - sourceBase, $"snappy: literal of {literal} bytes, {sourceEnd - source} left");
                    }

                    if (literal > end - target)
                    {
                        Throw(WireError.LengthMismatch, source - sourceBase, $"snappy: literal of {literal} bytes, {end - target} left of the declared length");
                    }

                    if (literal <= 64 && sourceEnd - source >= 64 && room - target >= 64)
                    {
                        Copy16(source, target);
                        Copy16(source + 16, target + 16);
                        Copy16(source + 32, target + 32);
                        Copy16(source + 48, target + 48);
                    }
                    else
                    {
                        Buffer.MemoryCopy(source, target, literal, literal);
                    }

                    source += literal;
                    target += literal;
                    continue;
                }

                nint run;
                nint offset;
                if ((tag & 3) == 1)
                {
                    if (sourceEnd - source < 2)
                    {
                        Throw(WireError.Truncated, source - sourceBase, "snappy: the block ends inside a copy");
                    }

                    run = (nint)((tag >> 2) & 7) + 4;
                    offset = (nint)(((tag >> 5) << 8) | source[1]);
                    source += 2;
                }
                else if ((tag & 3) == 2)
                {
                    if (sourceEnd - source < 3)
                    {
                        Throw(WireError.Truncated, source - sourceBase, "snappy: the block ends inside a copy");
                    }

                    run = (nint)(tag >> 2) + 1;
                    offset = Unsafe.ReadUnaligned<ushort>(source + 1);
                    source += 3;
                }
                else
                {
                    if (sourceEnd - source < 5)
                    {
                        Throw(WireError.Truncated, source - sourceBase, "snappy: the block ends inside a copy");
                    }

                    run = (nint)(tag >> 2) + 1;
                    offset = (nint)Unsafe.ReadUnaligned<uint>(source + 1);
                    source += 5;
                }

                // One unsigned comparison refuses offset 0 as well.
                if ((nuint)(offset - 1) >= (nuint)(target - targetBase))
                {
                    Throw(WireError.BadReference, source - sourceBase, $"snappy: copy from {offset} bytes back, {target - targetBase} produced so far");
                }

                if (run > end - target)
                {
                    Throw(WireError.LengthMismatch, source - sourceBase, $"snappy: copy of {run} bytes, {end - target} left of the declared length");
                }

                CopyBack(target, offset, run, room);
                target += run;
            }

            if (target != end)
            {
                Throw(WireError.LengthMismatch, block.Length, $"snappy: the block yields {target - targetBase} bytes, it declared {length}");
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyBack(byte* target, nint offset, nint run, byte* room)
    {
        var from = target - offset;
        if (offset >= 16 && room - target >= 64)
        {
            // Runs are at most 64 bytes. Source and target of each step are at least a step apart.
            Copy16(from, target);
            if (run > 16)
            {
                Copy16(from + 16, target + 16);
                if (run > 32)
                {
                    Copy16(from + 32, target + 32);
                    Copy16(from + 48, target + 48);
                }
            }

            return;
        }

        if (offset >= 8 && room - target >= 72)
        {
            for (nint done = 0; done < run; done += 8)
            {
                Unsafe.WriteUnaligned(target + done, Unsafe.ReadUnaligned<ulong>(from + done));
            }

            return;
        }

        for (nint done = 0; done < run; done++)
        {
            target[done] = from[done];
        }
    }

    private static nint ReadLongLiteral(ref byte* source, byte* sourceEnd, int lengthBytes, byte* sourceBase)
    {
        if (sourceEnd - source < lengthBytes)
        {
            Throw(WireError.Truncated, source - sourceBase, "snappy: the block ends inside the length of a literal");
        }

        long length = 0;
        for (var i = 0; i < lengthBytes; i++)
        {
            length |= (long)source[i] << (8 * i);
        }

        source += lengthBytes;
        return (nint)(length + 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy16(byte* from, byte* to) => Vector128.Store(Vector128.Load(from), to);

    [DoesNotReturn]
    private static void Throw(WireError error, long offset, string detail) => throw new WireFormatException(error, offset, detail);
}
