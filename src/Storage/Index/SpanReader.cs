using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Reads fields off bytes of a file; what is missing or malformed raises <see cref="InvalidDataException"/> with file and offset.</summary>
internal ref struct SpanReader(ReadOnlySpan<byte> bytes, string file, long offset)
{
    private readonly int length = bytes.Length;
    private ReadOnlySpan<byte> rest = bytes;

    public readonly bool AtEnd => rest.IsEmpty;

    /// <summary>Where in the file the next field lies.</summary>
    public readonly long Offset => offset + length - rest.Length;

    /// <summary>How many bytes are left.</summary>
    public readonly int Remaining => rest.Length;

    public byte Byte() => Bytes(1)[0];

    public uint UInt32() => BinaryPrimitives.ReadUInt32BigEndian(Bytes(4));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64BigEndian(Bytes(8));

    public ulong UVarint()
    {
        if (!Varint.TryRead(ref rest, out var value))
        {
            BlockDamage.Throw(file, Offset, "malformed varint");
        }

        return value;
    }

    public long SVarint()
    {
        var value = UVarint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>A uvarint that counts something of which each takes at least <paramref name="bytesEach"/> of what is left.</summary>
    public int Count(int bytesEach)
    {
        var at = Offset;
        var count = UVarint();
        if (count > (ulong)(rest.Length / bytesEach))
        {
            BlockDamage.Throw(file, at, $"a count of {count} exceeds what {rest.Length} bytes can hold");
        }

        return (int)count;
    }

    public ReadOnlySpan<byte> Text() => Bytes(Count(1));

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if (count > rest.Length)
        {
            BlockDamage.Throw(file, Offset, $"{count} bytes are wanted, {rest.Length} are left");
        }

        var taken = rest[..count];
        rest = rest[count..];
        return taken;
    }
}
