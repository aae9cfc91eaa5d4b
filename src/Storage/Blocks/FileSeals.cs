using System.Buffers;
using System.Buffers.Binary;

namespace Metrics.Storage;

/// <summary>Makes and checks the seals of a block's files; see <see cref="BlockSeal"/>.</summary>
internal static class FileSeals
{
    private const int BufferBytes = 1 << 20;

    /// <summary>A description with the seal of the directory's files.</summary>
    public static BlockMeta Sealed(BlockMeta meta, string directory) => meta with { Metrics = (meta.Metrics ?? new()) with { Seal = Make(directory) } };

    /// <summary>Seals index, chunk segments and tombstones of a directory. Who writes tombstones later seals anew.</summary>
    private static BlockSeal Make(string directory)
    {
        var seals = new List<SealedFile> { Seal(directory, BlockReader.IndexFileName) };
        foreach (var segment in Directory.EnumerateFiles(Path.Combine(directory, ChunkSegments.DirectoryName)).Order(StringComparer.Ordinal))
        {
            seals.Add(Seal(directory, $"{ChunkSegments.DirectoryName}/{Path.GetFileName(segment)}"));
        }

        if (File.Exists(Path.Combine(directory, Tombstones.FileName)))
        {
            seals.Add(Seal(directory, Tombstones.FileName));
        }

        using var index = new MappedFile(Path.Combine(directory, BlockReader.IndexFileName));
        return new BlockSeal(IndexTables(index), seals);
    }

    /// <summary>Checks that an index that was opened without complaint is the block's own.</summary>
    /// <exception cref="InvalidDataException">It is another block's, or parts of it are.</exception>
    public static void CheckIndex(IBlockFile index, BlockSeal? seal)
    {
        if (seal is not null && IndexTables(index) != seal.IndexTables)
        {
            BlockDamage.Throw(index.Name, index.Length - IndexFormat.TocBytes, "symbols, postings offsets or table of contents are not those that the block was finished with");
        }
    }

    /// <summary>Checks that the files are there and as long as they were, and that the deletions are the block's own; reads nothing else.</summary>
    /// <exception cref="InvalidDataException">One is not.</exception>
    public static void CheckOnOpening(string directory, BlockSeal? seal)
    {
        foreach (var sealedFile in seal?.Files ?? [])
        {
            var file = new FileInfo(Path.Combine(directory, sealedFile.Path));
            if (!file.Exists)
            {
                BlockDamage.Throw(file.FullName, 0, "the file is missing");
            }

            if (file.Length != sealedFile.Bytes)
            {
                BlockDamage.Throw(file.FullName, Math.Min(file.Length, sealedFile.Bytes), $"the file has {file.Length} bytes, but had {sealedFile.Bytes} when the block was finished");
            }

            if (sealedFile.Path == Tombstones.FileName && Seal(directory, sealedFile.Path) != sealedFile)
            {
                BlockDamage.Throw(file.FullName, 0, "the file is not the one that the block was finished with");
            }
        }
    }

    /// <summary>Reads the whole files and notes those that are not what they were.</summary>
    public static void CheckContents(string directory, BlockSeal? seal, DefectList defects)
    {
        foreach (var sealedFile in seal?.Files ?? [])
        {
            if (sealedFile.Path is not { } path || Path.IsPathRooted(path) || path.Split('/').Contains("..", StringComparer.Ordinal))
            {
                defects.Add(Path.Combine(directory, BlockMeta.FileName), 0, $"the seal names '{sealedFile.Path}', which is no place inside the block");
                continue;
            }

            var full = Path.Combine(directory, path);
            if (!File.Exists(full))
            {
                defects.Add(full, 0, "the file is missing");
                continue;
            }

            var now = Seal(directory, path);
            if (now != sealedFile)
            {
                defects.Add(full, 0, $"the file is not the one that the block was finished with: {now.Bytes} bytes with checksum {now.Crc32C:x8}, want {sealedFile.Bytes} with {sealedFile.Crc32C:x8}");
            }
        }
    }

    private static uint IndexTables(IBlockFile index)
    {
        var toc = IndexToc.Read(index);
        var state = Crc32C.Append(Crc32C.Start, index.Range(index.Length - IndexFormat.TocBytes, IndexFormat.TocBytes));
        state = Crc32C.Append(state, StoredChecksum(index, toc.Symbols));
        return Crc32C.Finish(Crc32C.Append(state, StoredChecksum(index, toc.PostingsTable)));
    }

    private static ReadOnlySpan<byte> StoredChecksum(IBlockFile index, long section) =>
        index.Range(section + 4 + BinaryPrimitives.ReadUInt32BigEndian(index.Range(section, 4)), 4);

    private static SealedFile Seal(string directory, string path)
    {
        using var file = new FileStream(Path.Combine(directory, path), FileMode.Open, FileAccess.Read, FileShare.Read, 1);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        var state = Crc32C.Start;
        long length = 0;
        for (var read = file.Read(buffer); read > 0; read = file.Read(buffer))
        {
            state = Crc32C.Append(state, buffer.AsSpan(0, read));
            length += read;
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return new SealedFile(path, length, Crc32C.Finish(state));
    }
}
