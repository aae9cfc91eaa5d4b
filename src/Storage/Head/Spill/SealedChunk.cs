using System.Runtime.CompilerServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>A sealed chunk of a head: an immutable record in the arena or, once it is spilled, in a mapped file.</summary>
/// <remarks>
/// The sealed chunks of a series are chained from the newest to the oldest, so that a series holds one link however many they are (FORMAT.md draws the record). A link is 0, the
/// address of a record in the arena, or <see cref="Stored"/> with the number of a file and an offset in it; the records behind a stored link are all stored.
/// </remarks>
internal readonly unsafe struct SealedChunk
{
    /// <summary>Bytes before the samples: link to the one before (8), first and last time (8 each), length (4), checksum (4), encoding (1).</summary>
    public const int HeaderBytes = 33;

    /// <summary>Set in links to files: bit 63; bits 32 to 62 number the file, the rest is the offset.</summary>
    public const long Stored = long.MinValue;

    private const int MinAt = 8;
    private const int MaxAt = 16;
    private const int LengthAt = 24;
    private const int ChecksumAt = 28;
    private const int EncodingAt = 32;
    private readonly byte* record;

    /// <summary>The chunk whose record lies at an address.</summary>
    public SealedChunk(byte* record) => this.record = record;

    /// <summary>The link to the chunk before; to be used only while the series says that there is one.</summary>
    public ref long Previous => ref Unsafe.AsRef<long>(record);

    /// <summary>Time of the first sample.</summary>
    public long MinMs => *(long*)(record + MinAt);

    /// <summary>Time of the last sample.</summary>
    public long MaxMs => *(long*)(record + MaxAt);

    /// <summary>How the samples are encoded.</summary>
    public ChunkEncoding Encoding => (ChunkEncoding)record[EncodingAt];

    /// <summary>Bytes of the record.</summary>
    public int RecordBytes => HeaderBytes + *(int*)(record + LengthAt);

    /// <summary>The samples.</summary>
    public ReadOnlySpan<byte> Data => new(record + HeaderBytes, *(int*)(record + LengthAt));

    /// <summary>The samples of a record that nobody else knows yet.</summary>
    public Span<byte> Writable => new(record + HeaderBytes, *(int*)(record + LengthAt));

    /// <summary>Times of the first and the last sample.</summary>
    public TimeRange Range => new(MinMs, MaxMs);

    /// <summary>Writes a record into memory; it gets its checksum when it is stored.</summary>
    public static void Write(byte* to, long previous, ChunkEncoding encoding, long minMs, long maxMs, ReadOnlySpan<byte> data) =>
        Fill(new Span<byte>(to, HeaderBytes + data.Length), previous, encoding, minMs, maxMs, data);

    /// <summary>Writes a record to be stored that has none before it, checksummed.</summary>
    public static void Write(Span<byte> to, ChunkEncoding encoding, long minMs, long maxMs, ReadOnlySpan<byte> data)
    {
        Fill(to, 0, encoding, minMs, maxMs, data);
        Unsafe.WriteUnaligned(ref to[ChecksumAt], ChecksumOf(to));
    }

    /// <summary>Copies the record, to be stored, with another link, checksummed.</summary>
    public void CopyTo(Span<byte> to, long previous)
    {
        new ReadOnlySpan<byte>(record, RecordBytes).CopyTo(to);
        Unsafe.WriteUnaligned(ref to[0], previous);
        Unsafe.WriteUnaligned(ref to[ChecksumAt], ChecksumOf(to));
    }

    /// <summary>True when the bytes of a stored record are those that were written, and all of them lie within <paramref name="room"/>.</summary>
    public bool IsIntact(long room)
    {
        if (room < HeaderBytes || *(int*)(record + LengthAt) < 0 || RecordBytes > room)
        {
            return false;
        }

        var bytes = new ReadOnlySpan<byte>(record, RecordBytes);
        return Unsafe.ReadUnaligned<uint>(in bytes[ChecksumAt]) == ChecksumOf(bytes);
    }

    private static void Fill(Span<byte> to, long previous, ChunkEncoding encoding, long minMs, long maxMs, ReadOnlySpan<byte> data)
    {
        Unsafe.WriteUnaligned(ref to[0], previous);
        Unsafe.WriteUnaligned(ref to[MinAt], minMs);
        Unsafe.WriteUnaligned(ref to[MaxAt], maxMs);
        Unsafe.WriteUnaligned(ref to[LengthAt], data.Length);
        Unsafe.WriteUnaligned(ref to[ChecksumAt], 0u);
        to[EncodingAt] = (byte)encoding;
        data.CopyTo(to[HeaderBytes..]);
    }

    private static uint ChecksumOf(ReadOnlySpan<byte> bytes) =>
        Crc32C.Finish(Crc32C.Append(Crc32C.Append(Crc32C.Start, bytes[..ChecksumAt]), bytes[EncodingAt..]));
}
