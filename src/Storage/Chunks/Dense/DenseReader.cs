using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Walks the bytes of a dense chunk; whatever they lack is one kind of error.</summary>
internal ref struct DenseReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> rest = bytes;

    /// <summary>Bytes not read yet.</summary>
    public readonly int Left => rest.Length;

    /// <summary>The next byte.</summary>
    public byte Byte() => Take(1)[0];

    /// <summary>The next two bytes, big-endian as in all chunks.</summary>
    public ushort Count() => BinaryPrimitives.ReadUInt16BigEndian(Take(2));

    /// <summary>The next bytes.</summary>
    public ReadOnlySpan<byte> Take(int length)
    {
        if ((uint)length > (uint)rest.Length)
        {
            Throw($"{length} bytes are wanted where {rest.Length} are left");
        }

        var taken = rest[..length];
        rest = rest[length..];
        return taken;
    }

    /// <summary>An unsigned integer of seven bits a byte.</summary>
    public ulong UVarint()
    {
        if (!Varint.TryRead(ref rest, out var value))
        {
            Throw("a varint is malformed or cut off");
        }

        return value;
    }

    /// <summary>A signed integer in zigzag form.</summary>
    public long SVarint()
    {
        var value = UVarint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>An unsigned integer up to a limit.</summary>
    public int Bounded(int limit, string what)
    {
        var value = UVarint();
        if (value > (ulong)limit)
        {
            Throw($"{what} is {value}, at most {limit} was possible");
        }

        return (int)value;
    }

    /// <summary>Raises the error for damaged bytes.</summary>
    [DoesNotReturn]
    public static void Throw(string what) => throw new InvalidDataException("damaged dense chunk: " + what);
}
