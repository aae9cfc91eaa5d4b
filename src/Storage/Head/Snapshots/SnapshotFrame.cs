using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>One frame of a head's snapshot while it is collected in memory; FORMAT.md draws it. Reused; not thread-safe.</summary>
internal sealed class SnapshotFrame
{
    /// <summary>Type (1), length of the payload (4) and checksum (4), before the payload.</summary>
    public const int HeaderBytes = 9;

    private byte[] bytes = new byte[64 * 1024];
    private int used = HeaderBytes;

    /// <summary>True when nothing was written since the frame was begun.</summary>
    public bool IsEmpty => used == HeaderBytes;

    /// <summary>Empties the frame and gives it a type.</summary>
    public void Begin(SnapshotFrameType type)
    {
        used = HeaderBytes;
        bytes[0] = (byte)type;
    }

    public void Byte(byte value) => Take(1)[0] = value;

    public void Int64(long value) => BinaryPrimitives.WriteInt64BigEndian(Take(sizeof(long)), value);

    public void UVarint(ulong value)
    {
        Room(Varint.MaxBytes);
        used += Varint.Write(bytes.AsSpan(used), value);
    }

    public void SVarint(long value)
    {
        Room(Varint.MaxBytes);
        used += Varint.WriteSigned(bytes.AsSpan(used), value);
    }

    public void Bytes(ReadOnlySpan<byte> value) => value.CopyTo(Take(value.Length));

    /// <summary>Bytes with their number before them.</summary>
    public void Text(ReadOnlySpan<byte> value)
    {
        UVarint((ulong)value.Length);
        Bytes(value);
    }

    /// <summary>So many bytes to be filled by the caller.</summary>
    public Span<byte> Take(int count)
    {
        Room(count);
        used += count;
        return bytes.AsSpan(used - count, count);
    }

    /// <summary>Completes the frame and gives its bytes.</summary>
    public ReadOnlySpan<byte> End()
    {
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(1), used - HeaderBytes);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(5), Checksum(bytes.AsSpan(0, 5), bytes.AsSpan(HeaderBytes, used - HeaderBytes)));
        return bytes.AsSpan(0, used);
    }

    public static uint Checksum(ReadOnlySpan<byte> typeAndLength, ReadOnlySpan<byte> payload) =>
        Crc32C.Finish(Crc32C.Append(Crc32C.Append(Crc32C.Start, typeAndLength), payload));

    private void Room(int count)
    {
        if (used + count > bytes.Length)
        {
            Array.Resize(ref bytes, Math.Max(used + count, bytes.Length * 2));
        }
    }
}

/// <summary>What a frame of a snapshot holds.</summary>
internal enum SnapshotFrameType : byte
{
    /// <summary>Which log and record the snapshot stands at; the first frame.</summary>
    Head = 1,

    /// <summary>Symbols that frames after this one name.</summary>
    Symbols = 2,

    /// <summary>Series with their float chunks.</summary>
    Series = 3,

    /// <summary>Native histograms of series.</summary>
    Histograms = 4,

    /// <summary>Samples out of order, as a record of the log holds samples.</summary>
    Late = 5,

    /// <summary>Exemplars, as a record of the log holds them.</summary>
    Exemplars = 6,

    /// <summary>How much there was; the last frame.</summary>
    End = 7,
}
