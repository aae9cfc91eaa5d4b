using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Metrics.Model;

/// <summary>Takes fields off bytes that may be hostile: what is missing or malformed raises <see cref="InvalidDataException"/>, and no count is believed that the bytes left can't hold.</summary>
public ref struct ByteReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> rest = bytes;

    /// <summary>How many bytes are left.</summary>
    public readonly int Remaining => rest.Length;

    /// <summary>Takes a byte.</summary>
    public byte Byte() => Raw(1)[0];

    /// <summary>Takes a byte that is 0 or 1.</summary>
    public bool Bool() => Byte() switch
    {
        0 => false,
        1 => true,
        var other => throw new InvalidDataException($"{other} where 0 or 1 is wanted"),
    };

    /// <summary>Takes an unsigned integer.</summary>
    public ulong UVarint() => Varint.TryRead(ref rest, out var value) ? value : throw new InvalidDataException($"malformed varint with {rest.Length} bytes left");

    /// <summary>Takes a signed integer.</summary>
    public long SVarint()
    {
        var value = UVarint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>Takes a signed integer of 32 bits.</summary>
    public int Int32() => SVarint() is >= int.MinValue and <= int.MaxValue and var value ? (int)value : throw new InvalidDataException("an integer exceeds 32 bits");

    /// <summary>Takes an unsigned integer up to a bound.</summary>
    public int UpTo(int most) => UVarint() is var value && value <= (ulong)most ? (int)value : throw new InvalidDataException($"{value} where at most {most} is allowed");

    /// <summary>Takes a number of things of which each takes at least so many of the bytes left.</summary>
    public int Count(int leastBytesEach) =>
        UVarint() is var count && count <= (ulong)(rest.Length / leastBytesEach) ? (int)count : throw new InvalidDataException($"a count of {count} exceeds what {rest.Length} bytes can hold");

    /// <summary>Takes 8 bytes.</summary>
    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Raw(sizeof(ulong)));

    /// <summary>Takes a double.</summary>
    public double Double() => BitConverter.UInt64BitsToDouble(UInt64());

    /// <summary>Takes as many doubles as the span holds.</summary>
    public void Doubles(Span<double> into)
    {
        var from = Raw(checked(into.Length * sizeof(double)));
        if (BitConverter.IsLittleEndian)
        {
            from.CopyTo(MemoryMarshal.AsBytes(into));
            return;
        }

        for (var i = 0; i < into.Length; i++)
        {
            into[i] = BinaryPrimitives.ReadDoubleLittleEndian(from[(i * sizeof(double))..]);
        }
    }

    /// <summary>Takes bytes that their number stands before.</summary>
    public ReadOnlySpan<byte> Block() => Raw(Count(1));

    /// <summary>Takes a text.</summary>
    public string Text()
    {
        try
        {
            return StrictUtf8.GetString(Block());
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException("a text is not UTF-8", e);
        }
    }

    /// <summary>Takes a label set in canonical form.</summary>
    public Labels Labels()
    {
        var block = Block();
        return Model.Labels.IsCanonical(block) ? Model.Labels.FromEncoded(block) : throw new InvalidDataException("labels are not in canonical form");
    }

    /// <summary>Takes so many bytes.</summary>
    public ReadOnlySpan<byte> Raw(int count)
    {
        if ((uint)count > (uint)rest.Length)
        {
            throw new InvalidDataException($"{count} bytes are wanted, {rest.Length} are left");
        }

        var taken = rest[..count];
        rest = rest[count..];
        return taken;
    }

    /// <summary>Takes all that is left.</summary>
    public ReadOnlySpan<byte> Rest() => Raw(rest.Length);

    /// <summary>Says that nothing more may follow.</summary>
    public readonly void End()
    {
        if (!rest.IsEmpty)
        {
            throw new InvalidDataException($"{rest.Length} bytes follow the end");
        }
    }

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
}
