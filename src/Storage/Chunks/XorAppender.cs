using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The state of an XOR chunk that is being written: what the next sample is coded against.</summary>
/// <remarks>
/// The encoding is Prometheus's (tsdb/chunkenc/xor.go), after the Gorilla paper: times as delta of delta in classes of 1, 14, 17, 20 and 64 bits, values as the XOR with the
/// one before. The chunk's bytes live with the caller, zeroed, and must have <see cref="SlackBytes"/> beyond the last sample, because bits are written by whole words.
/// Bits once written never change, so a reader that knows an earlier sample count may read while samples are added.
/// </remarks>
[StructLayout(LayoutKind.Auto)]
public struct XorAppender
{
    /// <summary>Free bytes that an append needs: 2 + 5 + 6 + 64 bits of value, 4 + 64 of time, and the word that is written last.</summary>
    public const int SlackBytes = 32;

    /// <summary>Bytes of the sample count at the head of a chunk, big-endian.</summary>
    public const int HeaderBytes = 2;

    private long time;
    private ulong value;
    private long delta;
    private int bits;
    private byte leading;
    private byte trailing;

    /// <summary>The time of the last sample.</summary>
    public readonly long LastTimeMs => time;

    /// <summary>The bits of the last value.</summary>
    public readonly ulong LastValueBits => value;

    /// <summary>The bytes that hold samples so far, since the last <see cref="MoveOn"/>.</summary>
    public readonly int Length => (bits + 7) / 8;

    /// <summary>Bytes that <see cref="Save"/> writes.</summary>
    public const int SavedBytes = 30;

    /// <summary>Writes the state, so that a later life can go on with the chunk.</summary>
    public readonly void Save(Span<byte> to)
    {
        BinaryPrimitives.WriteInt64LittleEndian(to, time);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], value);
        BinaryPrimitives.WriteInt64LittleEndian(to[16..], delta);
        BinaryPrimitives.WriteInt32LittleEndian(to[24..], bits);
        to[28] = leading;
        to[29] = trailing;
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public static XorAppender Load(ReadOnlySpan<byte> from) => new()
    {
        time = BinaryPrimitives.ReadInt64LittleEndian(from),
        value = BinaryPrimitives.ReadUInt64LittleEndian(from[8..]),
        delta = BinaryPrimitives.ReadInt64LittleEndian(from[16..]),
        bits = BinaryPrimitives.ReadInt32LittleEndian(from[24..]),
        leading = from[28],
        trailing = from[29],
    };

    /// <summary>Begins a chunk with its first sample. Its first two bytes, the sample count, are the caller's to write.</summary>
    public void Begin(Span<byte> chunk, long timeMs, double firstValue)
    {
        time = timeMs;
        value = BitConverter.DoubleToUInt64Bits(firstValue);
        delta = 0;
        leading = 0xff;
        trailing = 0;
        var at = HeaderBytes + Varint.WriteSigned(chunk[HeaderBytes..], timeMs);
        BinaryPrimitives.WriteUInt64BigEndian(chunk[at..], value);
        bits = (at + sizeof(ulong)) * 8;
    }

    /// <summary>Appends a sample later than the last one. The caller has checked <see cref="SlackBytes"/>; <paramref name="count"/> is the number of samples before it.</summary>
    public void Append(Span<byte> chunk, int count, long timeMs, double sampleValue)
    {
        var nextDelta = timeMs - time;
        if (count == 1)
        {
            bits += 8 * Varint.Write(chunk[(bits / 8)..], (ulong)nextDelta);
        }
        else
        {
            AppendDeltaOfDelta(chunk, nextDelta - delta);
        }

        AppendValue(chunk, BitConverter.DoubleToUInt64Bits(sampleValue));
        time = timeMs;
        delta = nextDelta;
    }

    /// <summary>Goes on in bytes that begin so many whole bytes later than those written so far; what bits there are of the byte at hand are to be copied there.</summary>
    public void MoveOn(int bytes) => bits -= bytes * 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AppendDeltaOfDelta(Span<byte> chunk, long dod)
    {
        // Fast path: a regular scrape.
        if (dod == 0)
        {
            bits++;
        }
        else if (Fits(dod, 14))
        {
            Put(chunk, (0b10UL << 14) | ((ulong)dod & 0x3fff), 16);
        }
        else if (Fits(dod, 17))
        {
            Put(chunk, (0b110UL << 17) | ((ulong)dod & 0x1ffff), 20);
        }
        else if (Fits(dod, 20))
        {
            Put(chunk, (0b1110UL << 20) | ((ulong)dod & 0xfffff), 24);
        }
        else
        {
            Put(chunk, 0b1111, 4);
            Put(chunk, (ulong)dod, 64);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AppendValue(Span<byte> chunk, ulong next)
    {
        var xor = next ^ value;
        value = next;
        if (xor == 0)
        {
            bits++;
            return;
        }

        // Five bits hold the count of leading zeros, so more than 31 are not told.
        var zerosBefore = Math.Min(BitOperations.LeadingZeroCount(xor), 31);
        var zerosAfter = BitOperations.TrailingZeroCount(xor);
        if (leading != 0xff && zerosBefore >= leading && zerosAfter >= trailing)
        {
            var width = 64 - leading - trailing;
            Put(chunk, 0b10, 2);
            Put(chunk, xor >> trailing, width);
            return;
        }

        leading = (byte)zerosBefore;
        trailing = (byte)zerosAfter;
        var significant = 64 - zerosBefore - zerosAfter;

        // 64 significant bits are written as 0: none at all would have been the case above.
        Put(chunk, (0b11UL << 11) | ((ulong)zerosBefore << 6) | ((ulong)significant & 0x3f), 13);
        Put(chunk, xor >> zerosAfter, significant);
    }

    /// <summary>True when a delta of delta lies in the class of so many bits: -(2^(n-1) - 1) to 2^(n-1).</summary>
    private static bool Fits(long dod, int width) => dod >= -((1L << (width - 1)) - 1) && dod <= 1L << (width - 1);

    /// <summary>Puts the low <paramref name="width"/> bits, most significant first, at the cursor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Put(Span<byte> chunk, ulong word, int width)
    {
        var at = bits >> 3;
        var used = bits & 7;
        var aligned = width == 64 ? word : word << (64 - width);
        var first = BinaryPrimitives.ReadUInt64BigEndian(chunk[at..]) | (aligned >> used);
        BinaryPrimitives.WriteUInt64BigEndian(chunk[at..], first);
        if (used + width > 64)
        {
            chunk[at + 8] |= (byte)(aligned << (64 - used) >> 56);
        }

        bits += width;
    }
}
