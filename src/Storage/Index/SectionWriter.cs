using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Writes an index front to back: knows its position, keeps the checksum of the section at hand. Not thread-safe.</summary>
internal sealed class SectionWriter(Stream to)
{
    private readonly byte[] buffer = new byte[64 * 1024];
    private uint checksum;
    private int filled;
    private long flushed;

    /// <summary>Bytes written so far.</summary>
    public long Position => flushed + filled;

    /// <summary>Starts a new checksum.</summary>
    public void BeginChecksum() => checksum = Crc32C.Start;

    /// <summary>Writes bytes and adds them to the checksum.</summary>
    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        checksum = Crc32C.Append(checksum, bytes);
        if (bytes.Length > buffer.Length - filled)
        {
            Flush();
            if (bytes.Length >= buffer.Length)
            {
                to.Write(bytes);
                flushed += bytes.Length;
                return;
            }
        }

        bytes.CopyTo(buffer.AsSpan(filled));
        filled += bytes.Length;
    }

    public void Byte(byte value) => Bytes([value]);

    public void UInt32(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        Bytes(bytes);
    }

    public void UInt64(ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        Bytes(bytes);
    }

    public void UVarint(ulong value)
    {
        Span<byte> bytes = stackalloc byte[Varint.MaxBytes];
        Bytes(bytes[..Varint.Write(bytes, value)]);
    }

    public void SVarint(long value) => UVarint(((ulong)value << 1) ^ (ulong)(value >> 63));

    public void Text(ReadOnlySpan<byte> text)
    {
        UVarint((ulong)text.Length);
        Bytes(text);
    }

    /// <summary>Writes the checksum of everything since <see cref="BeginChecksum"/>.</summary>
    public void EndChecksum() => UInt32(Crc32C.Finish(checksum));

    /// <summary>Writes zeros up to a multiple of <paramref name="alignment"/>.</summary>
    public void Align(int alignment)
    {
        while (Position % alignment != 0)
        {
            Byte(0);
        }
    }

    /// <summary>Hands what is buffered to the stream.</summary>
    public void Flush()
    {
        to.Write(buffer, 0, filled);
        flushed += filled;
        filled = 0;
    }
}
