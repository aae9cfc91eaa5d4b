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

    private readonly string directory;
    private readonly List<IBlockFile> segments;

    private ChunkSegments(string folder, List<IBlockFile> segments)
    {
        directory = folder;
        this.segments = segments;
    }

    /// <summary>The size of all segments.</summary>
    public long Length => segments.Sum(f => f.Length);

    /// <summary>The name of a segment, numbered from 0.</summary>
    public static string FileName(int segment) => (segment + 1).ToString("D6");

    /// <summary>Maps the segments of a block directory and verifies their heads.</summary>
    public static ChunkSegments Open(string blockDirectory)
    {
        var folder = Path.Combine(blockDirectory, DirectoryName);
        var files = new List<IBlockFile>();
        try
        {
            while (File.Exists(Path.Combine(folder, FileName(files.Count))))
            {
                files.Add(new MappedFile(Path.Combine(folder, FileName(files.Count))));
                CheckHead(files[^1]);
            }
        }
        catch
        {
            files.ForEach(f => f.Dispose());
            throw;
        }

        return new ChunkSegments(folder, files);
    }

    /// <summary>The payload of a chunk, verified; valid until this is disposed.</summary>
    public ReadOnlySpan<byte> Read(ulong reference, out ChunkEncoding encoding)
    {
        var segment = reference >> 32;
        var offset = (long)(uint)reference;
        if (segment >= (ulong)segments.Count)
        {
            BlockDamage.Throw(Path.Combine(directory, FileName((int)Math.Min(segment, int.MaxValue - 1))), offset, $"the index has a chunk in this segment, but the block has {segments.Count} segments");
        }

        var file = segments[(int)segment];
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
        return body[1..];
    }

    /// <summary>A message's words for the place of a chunk.</summary>
    public string Describe(ulong reference) => $"{segments[(int)(reference >> 32)].Name}: offset {(uint)reference}";

    /// <summary>Unmaps the segments.</summary>
    public void Dispose() => segments.ForEach(f => f.Dispose());

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
