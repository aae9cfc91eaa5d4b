using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Reads XOR chunks; see <see cref="XorAppender"/> for the encoding.</summary>
public static class XorChunk
{
    /// <summary>The number of samples in a chunk.</summary>
    public static int Count(ReadOnlySpan<byte> chunk) => chunk.Length >= XorAppender.HeaderBytes
        ? BinaryPrimitives.ReadUInt16BigEndian(chunk)
        : throw new InvalidDataException($"an XOR chunk of {chunk.Length} bytes has no sample count");

    /// <summary>Appends the samples within the range.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged: it ends inside a sample, or time does not grow.</exception>
    public static void Decode(ReadOnlySpan<byte> chunk, TimeRange range, SampleBuffer into) => Decode(chunk, Count(chunk), range, into);

    /// <summary>Appends those of the first <paramref name="count"/> samples that lie within the range; for chunks that are still growing.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged: it ends inside a sample, or time does not grow.</exception>
    public static void Decode(ReadOnlySpan<byte> chunk, int count, TimeRange range, SampleBuffer into)
    {
        into.NoteEncoded(chunk.Length);
        Decode(new XorReader(chunk), count, range, into);
    }

    /// <summary>Appends all samples of a chunk in which a time may repeat, as the counters of downsampled blocks do at their ends.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged: it ends inside a sample, or time goes back.</exception>
    internal static void DecodeRepeating(ReadOnlySpan<byte> chunk, SampleBuffer into)
    {
        into.NoteEncoded(chunk.Length);
        Decode(new XorReader(chunk, mayRepeat: true), Count(chunk), TimeRange.All, into);
    }

    private static void Decode(XorReader reader, int count, TimeRange range, SampleBuffer into)
    {
        if (count == 0)
        {
            return;
        }

        into.Reserve(count, out var times, out var values);
        var kept = 0;
        for (var i = 0; i < count; i++)
        {
            reader.Next(i);
            if (reader.TimeMs > range.MaxMs)
            {
                break;
            }

            if (reader.TimeMs >= range.MinMs)
            {
                times[kept] = reader.TimeMs;
                values[kept] = BitConverter.UInt64BitsToDouble(reader.ValueBits);
                kept++;
            }
        }

        into.Advance(kept);
    }

    /// <summary>Looks for a sample at an instant among the first <paramref name="count"/>.</summary>
    public static bool TryFind(ReadOnlySpan<byte> chunk, int count, long timeMs, out ulong valueBits)
    {
        var reader = new XorReader(chunk);
        for (var i = 0; i < count; i++)
        {
            reader.Next(i);
            if (reader.TimeMs >= timeMs)
            {
                valueBits = reader.ValueBits;
                return reader.TimeMs == timeMs;
            }
        }

        valueBits = 0;
        return false;
    }

    /// <summary>Encodes samples, ascending in time, as one chunk into a buffer of at least <see cref="MaxBytes"/>; returns its length.</summary>
    public static int Encode(ReadOnlySpan<long> times, ReadOnlySpan<double> values, Span<byte> into)
    {
        into.Clear();
        var appender = default(XorAppender);
        appender.Begin(into, times[0], values[0]);
        for (var i = 1; i < times.Length; i++)
        {
            appender.Append(into, i, times[i], values[i]);
        }

        BinaryPrimitives.WriteUInt16BigEndian(into, (ushort)times.Length);
        return appender.Length;
    }

    /// <summary>The most bytes that so many samples take, the appender's slack included.</summary>
    public static int MaxBytes(int samples) => (samples * 19) + XorAppender.SlackBytes;
}

/// <summary>Walks the samples of one XOR chunk.</summary>
internal ref struct XorReader(ReadOnlySpan<byte> chunk, bool mayRepeat = false)
{
    private readonly ReadOnlySpan<byte> chunk = chunk;
    private readonly bool mayRepeat = mayRepeat;
    private int bit = XorAppender.HeaderBytes * 8;
    private long delta;
    private int leading;
    private int trailing;

    public long TimeMs { get; private set; }

    public ulong ValueBits { get; private set; }

    /// <summary>Bytes read so far, begun ones included.</summary>
    public readonly int Length => (bit + 7) >> 3;

    /// <summary>Reads sample <paramref name="index"/>, which must follow the one read before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next(int index)
    {
        if (index > 1)
        {
            delta = unchecked(delta + ReadDeltaOfDelta());
        }
        else
        {
            if (index == 0)
            {
                ReadFirst();
                return;
            }

            delta = (long)ReadVarint();
        }

        // Times of damaged bytes are caught here, once per sample: everything above relies on their growing.
        var next = unchecked(TimeMs + delta);
        if ((next <= TimeMs || delta <= 0) && !(mayRepeat && delta == 0))
        {
            Throw($"time {TimeMs} is followed by a step of {delta}");
        }

        TimeMs = next;
        ReadValue();
    }

    private void ReadFirst()
    {
        var zigzag = ReadVarint();
        TimeMs = (long)(zigzag >> 1) ^ -(long)(zigzag & 1);
        ValueBits = Take(64);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long ReadDeltaOfDelta()
    {
        var word = Peek();
        if (word >> 63 == 0)
        {
            bit++;
            return 0;
        }

        if (word >> 62 == 0b10)
        {
            return Class(word, 2, 14);
        }

        if (word >> 61 == 0b110)
        {
            return Class(word, 3, 17);
        }

        if (word >> 60 == 0b1110)
        {
            return Class(word, 4, 20);
        }

        bit += 4;
        return (long)Take(64);
    }

    private long Class(ulong word, int prefix, int width)
    {
        bit += prefix + width;
        var value = (long)(word << prefix >> (64 - width));
        return value > 1L << (width - 1) ? value - (1L << width) : value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ReadValue()
    {
        var word = Peek();
        if (word >> 63 == 0)
        {
            bit++;
            CheckEnd();
            return;
        }

        if (word >> 62 == 0b10)
        {
            bit += 2;
        }
        else
        {
            leading = (int)(word << 2 >> 59);
            var significant = (int)(word << 7 >> 58);
            significant = significant == 0 ? 64 : significant;
            trailing = 64 - leading - significant;
            bit += 13;
            if (trailing < 0)
            {
                Throw($"{leading} leading zeros and {significant} significant bits exceed a word");
            }
        }

        ValueBits ^= Take(64 - leading - trailing) << trailing;
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 70; shift += 7)
        {
            var b = Take(8);
            value |= (b & 0x7f) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }

        Throw("a varint is longer than 64 bits");
        return 0;
    }

    /// <summary>At least 57 bits from the cursor on, left-aligned; zeros beyond the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly ulong Peek()
    {
        var at = bit >> 3;
        return at + 8 <= chunk.Length ? BinaryPrimitives.ReadUInt64BigEndian(chunk[at..]) << (bit & 7) : PeekAtEnd(at) << (bit & 7);
    }

    private readonly ulong PeekAtEnd(int at)
    {
        ulong word = 0;
        for (var i = 0; i < 8; i++)
        {
            word = (word << 8) | (at + i < chunk.Length ? chunk[at + i] : 0UL);
        }

        return word;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Take(int width)
    {
        ulong value;
        if (width <= 57)
        {
            value = width == 0 ? 0 : Peek() >> (64 - width);
            bit += width;
        }
        else
        {
            value = Peek() >> 32;
            bit += 32;
            value = (value << (width - 32)) | (Peek() >> (96 - width));
            bit += width - 32;
        }

        CheckEnd();
        return value;
    }

    private readonly void CheckEnd()
    {
        if (bit > chunk.Length * 8)
        {
            Throw($"it ends inside a sample: {chunk.Length} bytes, bit {bit} wanted");
        }
    }

    private static void Throw(string what) => throw new InvalidDataException("damaged XOR chunk: " + what);
}
