using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The segment files of a block, mapped for reading. Thread-safe.</summary>
internal sealed class ChunkSegments : IDisposable
{
    public const string DirectoryName = "chunks";
    public const uint Magic = 0x85BD40DD;
    public const byte Version = 1;
    public const int HeaderBytes = 8;

    /// <summary>What a chunk is taken to have when nothing follows that tells: 120 samples of doubles that XOR does not shrink.</summary>
    private const int UsualChunkBytes = 2048;

    /// <summary>The most that is fetched ahead of reading; the rest is fetched when it is read.</summary>
    private const long MostAhead = 256L * 1024 * 1024;

    private static long numbered;

    private readonly IBlockFiles files;
    private readonly List<IBlockFile> segments;

    private ChunkSegments(IBlockFiles files, List<IBlockFile> segments)
    {
        this.files = files;
        this.segments = segments;
    }

    /// <summary>A number that no other open or closed segments of the process have.</summary>
    public long Number { get; } = Interlocked.Increment(ref numbered);

    /// <summary>The size of all segments.</summary>
    public long Length => segments.Sum(f => f.Length);

    /// <summary>The name of a segment, numbered from 0.</summary>
    public static string FileName(int segment) => (segment + 1).ToString("D6");

    /// <summary>Opens the segments of a block and verifies their heads.</summary>
    public static ChunkSegments Open(IBlockFiles files)
    {
        var opened = new List<IBlockFile>();
        try
        {
            while (files.Open(PathOf(opened.Count)) is { } segment)
            {
                opened.Add(segment);
                CheckHead(segment);
            }
        }
        catch
        {
            opened.ForEach(f => f.Dispose());
            throw;
        }

        return new ChunkSegments(files, opened);
    }

    /// <summary>Fetches chunks that will be read, when the segments are far away; their order is that of the series, and so mostly ascending.</summary>
    public void Prefetch(ReadOnlySpan<ChunkMeta> chunks, CancellationToken cancellation)
    {
        if (segments.Count == 0 || !segments[0].IsRemote || chunks.IsEmpty)
        {
            return;
        }

        var references = new ulong[chunks.Length];
        for (var i = 0; i < chunks.Length; i++)
        {
            references[i] = chunks[i].Reference;
        }

        var fetched = Prefetch(references, cancellation);
        Prefetch(ColumnsOf(references.AsSpan(0, fetched)), cancellation);
    }

    // Sorts the references, and gives how many of them it fetched.
    private int Prefetch(ulong[] references, CancellationToken cancellation)
    {
        Array.Sort(references);
        var total = 0L;
        var at = 0;
        while (at < references.Length && total < MostAhead)
        {
            var segment = references[at] >> 32;
            var ranges = new FileRanges();
            for (; at < references.Length && references[at] >> 32 == segment && total + ranges.Bytes < MostAhead; at++)
            {
                ranges.Add((uint)references[at], UsualChunkBytes);
            }

            total += ranges.Bytes;
            if (segment < (ulong)segments.Count)
            {
                segments[(int)segment].Prefetch(ranges.Items, cancellation);
            }
        }

        return at;
    }

    /// <summary>The payload of a chunk, verified; valid until this is disposed.</summary>
    public ReadOnlySpan<byte> Read(ulong reference, out ChunkEncoding encoding)
    {
        var segment = reference >> 32;
        var offset = (long)(uint)reference;
        if (segment >= (ulong)segments.Count)
        {
            BlockDamage.Throw(files.NameOf(PathOf((int)Math.Min(segment, int.MaxValue - 1))), offset, $"the index has a chunk in this segment, but the block has {segments.Count} segments");
        }

        var file = segments[(int)segment];
        try
        {
            return ReadOnce(file, offset, out encoding, out _);
        }
        catch (InvalidDataException) when (file.IsRemote)
        {
            if (file.Refetched() is not { } source)
            {
                throw;
            }

            var data = ReadOnce(source, offset, out encoding, out var end);
            source.Mend(offset, (int)(end - offset));
            return data;
        }
    }

    /// <summary>The payload of a time column, verified; valid until this is disposed.</summary>
    public ReadOnlySpan<byte> ReadColumn(ulong reference)
    {
        var data = Read(reference, out var encoding);
        if (encoding != ChunkEncoding.TimeColumn)
        {
            BlockDamage.Throw(segments[(int)(reference >> 32)].Name, (uint)reference, $"a time column is wanted, but encoding {(byte)encoding} is there");
        }

        return data;
    }

    /// <summary>A message's words for the place of a chunk.</summary>
    public string Describe(ulong reference) => $"{segments[(int)(reference >> 32)].Name}: offset {(uint)reference}";

    /// <summary>Unmaps the segments.</summary>
    public void Dispose() => segments.ForEach(f => f.Dispose());

    private static ReadOnlySpan<byte> ReadOnce(IBlockFile file, long offset, out ChunkEncoding encoding, out long end)
    {
        if (offset < HeaderBytes || offset >= file.Length)
        {
            BlockDamage.Throw(file.Name, offset, $"a chunk would start outside the file of {file.Length} bytes");
        }

        var head = file.Range(offset, (int)Math.Min(Varint.MaxBytes, file.Length - offset));
        var rest = head;
        if (!Varint.TryRead(ref rest, out var length))
        {
            BlockDamage.Throw(file.Name, offset, "malformed length of a chunk");
        }

        var bodyAt = offset + head.Length - rest.Length;
        if (length > int.MaxValue - 5 || (long)length > file.Length - bodyAt - 5)
        {
            BlockDamage.Throw(file.Name, offset, $"a chunk of {length} bytes does not fit into the file of {file.Length} bytes");
        }

        var bytes = file.Range(bodyAt, (int)length + 5);
        var body = bytes[..^4];
        if (BinaryPrimitives.ReadUInt32BigEndian(bytes[^4..]) != Crc32C.Of(body))
        {
            BlockDamage.Throw(file.Name, offset, "checksum of a chunk does not match");
        }

        encoding = (ChunkEncoding)body[0];
        end = bodyAt + bytes.Length;
        return body[1..];
    }

    // Only a hint, and so not verified: who reads the chunk verifies it.
    private ulong[] ColumnsOf(ReadOnlySpan<ulong> chunks)
    {
        var columns = new HashSet<ulong>();
        foreach (var reference in chunks)
        {
            var offset = (long)(uint)reference;
            if (reference >> 32 >= (ulong)segments.Count || segments[(int)(reference >> 32)] is not { } file || offset >= file.Length)
            {
                continue;
            }

            var head = file.Range(offset, (int)Math.Min(Varint.MaxBytes + 1 + DenseChunk.Header.MaxBytes, file.Length - offset));
            if (Varint.TryRead(ref head, out _) && head.Length > 0 && (ChunkEncoding)head[0] == ChunkEncoding.Dense
                && DenseChunk.Header.TryRead(head[1..], out var header) && header.Distance > 0 && header.Distance <= offset - HeaderBytes)
            {
                columns.Add(reference - (ulong)header.Distance);
            }
        }

        return [.. columns];
    }

    private static string PathOf(int segment) => $"{DirectoryName}/{FileName(segment)}";

    private static void CheckHead(IBlockFile file)
    {
        if (file.Length < HeaderBytes)
        {
            BlockDamage.Throw(file.Name, file.Length, $"a segment has at least {HeaderBytes} bytes");
        }

        var reader = new SpanReader(file.Range(0, HeaderBytes), file.Name, 0);
        var magic = reader.UInt32();
        if (magic != Magic)
        {
            BlockDamage.Throw(file.Name, 0, $"magic number is {magic:x8}, want {Magic:x8}");
        }

        var version = reader.Byte();
        if (version != Version)
        {
            BlockDamage.Throw(file.Name, 4, $"segment version is {version}, only {Version} is read");
        }
    }
}
