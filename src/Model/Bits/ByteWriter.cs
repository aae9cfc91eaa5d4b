using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Metrics.Model;

/// <summary>Puts fields behind one another into one growing buffer, for messages between nodes; <see cref="ByteReader"/> takes them off again. Not thread-safe.</summary>
public sealed class ByteWriter(int capacity = 256)
{
    private byte[] bytes = new byte[capacity];

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>What was written; until the next write.</summary>
    public ReadOnlyMemory<byte> Written => bytes.AsMemory(0, Length);

    /// <summary>Puts a byte.</summary>
    public void Byte(byte value)
    {
        Room(1)[0] = value;
        Length++;
    }

    /// <summary>Puts a byte, 1 for true.</summary>
    public void Bool(bool value) => Byte(value ? (byte)1 : (byte)0);

    /// <summary>Puts an unsigned integer.</summary>
    public void UVarint(ulong value) => Length += Varint.Write(Room(Varint.MaxBytes), value);

    /// <summary>Puts a signed integer.</summary>
    public void SVarint(long value) => Length += Varint.WriteSigned(Room(Varint.MaxBytes), value);

    /// <summary>Puts 8 bytes.</summary>
    public void UInt64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(Room(sizeof(ulong)), value);
        Length += sizeof(ulong);
    }

    /// <summary>Puts the bits of a double.</summary>
    public void Double(double value) => UInt64(BitConverter.DoubleToUInt64Bits(value));

    /// <summary>Puts the bits of doubles, without their number.</summary>
    public void Doubles(ReadOnlySpan<double> values)
    {
        if (BitConverter.IsLittleEndian)
        {
            Raw(MemoryMarshal.AsBytes(values));
            return;
        }

        foreach (var value in values)
        {
            Double(value);
        }
    }

    /// <summary>Puts bytes, after their number.</summary>
    public void Block(ReadOnlySpan<byte> block)
    {
        UVarint((ulong)block.Length);
        Raw(block);
    }

    /// <summary>Puts a text as UTF-8, after its length.</summary>
    public void Text(string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        UVarint((ulong)length);
        Length += Encoding.UTF8.GetBytes(text, Room(length));
    }

    /// <summary>Puts bytes as they are.</summary>
    public void Raw(ReadOnlySpan<byte> raw)
    {
        raw.CopyTo(Room(raw.Length));
        Length += raw.Length;
    }

    /// <summary>Room for at least so many bytes, to be written by the caller and taken in by <see cref="Advance"/>.</summary>
    public Span<byte> Room(int count)
    {
        if (count > bytes.Length - Length)
        {
            Array.Resize(ref bytes, (int)Math.Min(Array.MaxLength, Math.Max((long)Length + count, bytes.Length * 2L)));
        }

        return bytes.AsSpan(Length);
    }

    /// <summary>Takes in bytes written into <see cref="Room"/>.</summary>
    public void Advance(int count) => Length += count;
}
