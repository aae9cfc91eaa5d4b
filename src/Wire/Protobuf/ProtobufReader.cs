using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Metrics.Wire;

/// <summary>Walks the fields of one protobuf message. Nothing is copied: byte fields are slices of the message.</summary>
/// <remarks>
/// The caller reads a tag with <see cref="TryReadTag"/> and then exactly one value, by the method for its wire type or <see cref="Skip"/>.
/// Every method throws <see cref="WireFormatException"/> with the offset from the start of the outermost message. Nesting is bounded by the code
/// that opens submessages, because unknown ones are skipped unopened and groups are refused.
/// </remarks>
public ref struct ProtobufReader
{
    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;
    private int position;

    /// <summary>Reads an outermost message.</summary>
    public ProtobufReader(ReadOnlySpan<byte> message)
        : this(message, 0)
    {
    }

    /// <summary>Reads a message that begins <paramref name="origin"/> bytes into the outermost one, for offsets in errors.</summary>
    public ProtobufReader(ReadOnlySpan<byte> message, int origin)
    {
        this.message = message;
        this.origin = origin;
    }

    /// <summary>The cursor, from the start of this message.</summary>
    public readonly int Position => position;

    /// <summary>The cursor, from the start of the outermost message.</summary>
    public readonly int Offset => origin + position;

    /// <summary>Reads the next tag; false at the end of the message.</summary>
    public bool TryReadTag(out int field, out WireType type)
    {
        if (position >= message.Length)
        {
            field = 0;
            type = default;
            return false;
        }

        var start = position;
        uint tag = message[position];
        if (tag < 0x80)
        {
            position++;
        }
        else
        {
            var wide = ReadVarint();
            if (wide > uint.MaxValue)
            {
                Throw(WireError.BadTag, start, $"protobuf: tag {wide} does not fit 32 bits");
            }

            tag = (uint)wide;
        }

        field = (int)(tag >> 3);
        type = (WireType)(tag & 7);
        if (field == 0 || type is not (WireType.Varint or WireType.Fixed64 or WireType.Bytes or WireType.Fixed32))
        {
            Throw(WireError.BadTag, start, $"protobuf: field number {field} with wire type {(int)type}");
        }

        return true;
    }

    /// <summary>Reads a varint of at most 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong ReadVarint()
    {
        if ((uint)position < (uint)message.Length && message[position] < 0x80)
        {
            return message[position++];
        }

        return ReadLongVarint();
    }

    /// <summary>Reads a zigzag varint (sint32, sint64).</summary>
    public long ReadZigZag()
    {
        var raw = ReadVarint();
        return (long)(raw >> 1) ^ -(long)(raw & 1);
    }

    /// <summary>Reads eight bytes.</summary>
    public ulong ReadFixed64()
    {
        if (message.Length - position < 8)
        {
            Throw(WireError.Truncated, position, $"protobuf: fixed64 with {message.Length - position} bytes left");
        }

        var value = BinaryPrimitives.ReadUInt64LittleEndian(message[position..]);
        position += 8;
        return value;
    }

    /// <summary>Reads a double.</summary>
    public double ReadDouble() => BitConverter.UInt64BitsToDouble(ReadFixed64());

    /// <summary>Reads a length and returns so many bytes, borrowed from the message.</summary>
    public ReadOnlySpan<byte> ReadBytes()
    {
        var start = position;
        var length = ReadVarint();
        if (length > (ulong)(message.Length - position))
        {
            Throw(WireError.Truncated, start, $"protobuf: field of {length} bytes, {message.Length - position} left");
        }

        var bytes = message.Slice(position, (int)length);
        position += (int)length;
        return bytes;
    }

    /// <summary>Skips the value of a field that is not known.</summary>
    public void Skip(WireType type)
    {
        switch (type)
        {
            case WireType.Varint:
                ReadVarint();
                break;
            case WireType.Fixed64:
                Advance(8);
                break;
            case WireType.Fixed32:
                Advance(4);
                break;
            default:
                ReadBytes();
                break;
        }
    }

    /// <summary>Refuses a field whose wire type is not the one it is defined with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Expect(WireType want, WireType got, int field)
    {
        if (want != got)
        {
            Throw(WireError.BadTag, position, $"protobuf: field {field} has wire type {(int)got}, want {(int)want}");
        }
    }

    [DoesNotReturn]
    private readonly void Throw(WireError error, int at, string detail) => throw new WireFormatException(error, origin + at, detail);

    private ulong ReadLongVarint()
    {
        var start = position;
        ulong value = 0;
        for (var shift = 0; shift < 70; shift += 7)
        {
            if (position >= message.Length)
            {
                Throw(WireError.Truncated, start, "protobuf: the message ends inside a varint");
            }

            var next = message[position++];
            if (shift == 63 && next > 1)
            {
                break;
            }

            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        Throw(WireError.MalformedVarint, start, "protobuf: varint exceeds 64 bits");
        return 0;
    }

    private void Advance(int bytes)
    {
        if (message.Length - position < bytes)
        {
            Throw(WireError.Truncated, position, $"protobuf: field of {bytes} bytes, {message.Length - position} left");
        }

        position += bytes;
    }
}
