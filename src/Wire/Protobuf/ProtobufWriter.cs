using System.Buffers;
using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Wire;

/// <summary>Writes protobuf messages into one pooled, growing buffer. Not thread-safe; dispose it once.</summary>
/// <remarks>
/// Submessages are written between <see cref="Begin"/> and <see cref="End"/>. A length of one byte is assumed and the content is moved when it
/// turns out longer, so lengths are always in their shortest form.
/// </remarks>
public sealed class ProtobufWriter : IDisposable
{
    private const int MaxPooled = 1 << 20;

    private byte[] buffer = ArrayPool<byte>.Shared.Rent(4096);
    private int length;

    /// <summary>What was written so far; valid until the next write.</summary>
    public ReadOnlySpan<byte> Written => buffer.AsSpan(0, length);

    /// <summary><see cref="Written"/>, for callers that must carry it over an await.</summary>
    public ReadOnlyMemory<byte> WrittenMemory => buffer.AsMemory(0, length);

    /// <summary>Forgets what was written and keeps the buffer.</summary>
    public void Clear() => length = 0;

    /// <summary>Begins a submessage; the result goes to <see cref="End"/>.</summary>
    public int Begin(int field)
    {
        Tag(field, WireType.Bytes);
        Room(1);
        return length++;
    }

    /// <summary>Ends the submessage begun last.</summary>
    public void End(int mark)
    {
        var content = length - mark - 1;
        var extra = Varint.Length((ulong)content) - 1;
        if (extra > 0)
        {
            Room(extra);
            buffer.AsSpan(mark + 1, content).CopyTo(buffer.AsSpan(mark + 1 + extra));
            length += extra;
        }

        Varint.Write(buffer.AsSpan(mark), (ulong)content);
    }

    /// <summary>Writes a bytes or string field.</summary>
    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Tag(field, WireType.Bytes);
        RawVarint((ulong)value.Length);
        Room(value.Length);
        value.CopyTo(buffer.AsSpan(length));
        length += value.Length;
    }

    /// <summary>Writes a uint32, uint64, int64, enum or bool field; negative int64 values as their 64-bit complement.</summary>
    public void Varint64(int field, ulong value)
    {
        Tag(field, WireType.Varint);
        RawVarint(value);
    }

    /// <summary>Writes a sint32 or sint64 field.</summary>
    public void ZigZag(int field, long value)
    {
        Tag(field, WireType.Varint);
        RawZigZag(value);
    }

    /// <summary>Writes a double field.</summary>
    public void Double(int field, double value)
    {
        Tag(field, WireType.Fixed64);
        RawDouble(value);
    }

    /// <summary>Writes a fixed64 or sfixed64 field.</summary>
    public void Fixed64(int field, ulong value)
    {
        Tag(field, WireType.Fixed64);
        Room(8);
        BinaryPrimitives.WriteUInt64LittleEndian(buffer.AsSpan(length), value);
        length += 8;
    }

    /// <summary>Writes a varint without a tag, as in a packed field.</summary>
    public void RawVarint(ulong value)
    {
        Room(Varint.MaxBytes);
        length += Varint.Write(buffer.AsSpan(length), value);
    }

    /// <summary>Writes a zigzag varint without a tag, as in a packed field.</summary>
    public void RawZigZag(long value) => RawVarint(((ulong)value << 1) ^ (ulong)(value >> 63));

    /// <summary>Writes a double without a tag, as in a packed field.</summary>
    public void RawDouble(double value)
    {
        Room(8);
        BinaryPrimitives.WriteDoubleLittleEndian(buffer.AsSpan(length), value);
        length += 8;
    }

    /// <summary>Writes bytes without tag or length.</summary>
    public void Raw(ReadOnlySpan<byte> value)
    {
        Room(value.Length);
        value.CopyTo(buffer.AsSpan(length));
        length += value.Length;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        var owned = buffer;
        buffer = [];
        length = 0;
        Return(owned);
    }

    private void Tag(int field, WireType type) => RawVarint(((ulong)field << 3) | (uint)type);

    private void Room(int bytes)
    {
        if (buffer.Length - length >= bytes)
        {
            return;
        }

        var wider = ArrayPool<byte>.Shared.Rent(Math.Max(checked(length + bytes), buffer.Length * 2));
        buffer.AsSpan(0, length).CopyTo(wider);
        Return(buffer);
        buffer = wider;
    }

    // The shared pool keeps one buffer of each size for every thread that ever gave one back; the largest are better left to the collector.
    private static void Return(byte[] owned)
    {
        if (owned.Length is > 0 and <= MaxPooled)
        {
            ArrayPool<byte>.Shared.Return(owned);
        }
    }
}
