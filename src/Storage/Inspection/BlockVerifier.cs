using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Checks everything in a block that can be checked: each checksum, each order, and that all files say the same.</summary>
/// <remarks>
/// Reading a block for a query verifies the bytes it touches. This reads all bytes, and compares what is said twice: symbols and postings with the series,
/// the places of chunks in the index with the chunks, <c>meta.json</c> with what is there. Memory: 16 bytes a label pair, 4 a series, 8 a chunk.
/// </remarks>
public static class BlockVerifier
{
    /// <summary>How many defects of one block are listed.</summary>
    public const int MaxDefects = 100;

    /// <summary>Verifies the block in a directory; no defect means that it is sound.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static IReadOnlyList<BlockDefect> Verify(string directory, CancellationToken cancellation = default)
    {
        var defects = new DefectList(MaxDefects);
        var meta = ReadMeta(directory, defects);
        var tombstones = ReadTombstones(directory, defects);
        var range = meta is null ? TimeRange.All : new TimeRange(meta.MinTime, meta.MaxTime - 1);
        FileSeals.CheckContents(directory, meta?.Metrics?.Seal, defects);
        using var chunks = ChunkVerifier.Open(directory, range, defects);
        var indexPath = Path.Combine(directory, BlockReader.IndexFileName);
        if (!File.Exists(indexPath))
        {
            defects.Add(indexPath, 0, "the file is missing");
            return defects.Found;
        }

        using var file = new MappedFile(indexPath);
        using var index = new IndexVerifier(file, defects);
        index.Verify(chunks, cancellation);
        if (index.Series is { } series)
        {
            chunks.CheckCoverage();
            CheckTombstones(directory, tombstones, series, defects);
            if (meta is not null && defects.Found.Count == 0)
            {
                CheckStats(directory, meta, (ulong)series.Length, tombstones, chunks, defects);
            }
        }

        return defects.Found;
    }

    private static BlockMeta? ReadMeta(string directory, DefectList defects)
    {
        var path = Path.Combine(directory, BlockMeta.FileName);
        BlockMeta meta;
        try
        {
            meta = BlockMeta.Read(directory);
        }
        catch (InvalidDataException e)
        {
            defects.Add(e, path);
            return null;
        }

        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)));
        if (Ulid.TryParse(name, out var ulid) && ulid != meta.Ulid)
        {
            defects.Add(path, 0, $"it describes block {meta.Ulid}, but lies in the directory of {name}");
        }

        if (meta.MaxTime <= meta.MinTime)
        {
            defects.Add(path, 0, $"the block covers {meta.MinTime} to {meta.MaxTime}");
        }

        foreach (var listed in meta.Thanos?.Files ?? [])
        {
            CheckListed(directory, path, listed, defects);
        }

        return meta;
    }

    private static void CheckListed(string directory, string metaPath, ThanosFile listed, DefectList defects)
    {
        if (listed.RelPath is null || Path.IsPathRooted(listed.RelPath) || listed.RelPath.Split('/', '\\').Contains("..", StringComparer.Ordinal))
        {
            defects.Add(metaPath, 0, $"the list of files names '{listed.RelPath}', which is no place inside the block");
            return;
        }

        var file = new FileInfo(Path.Combine(directory, listed.RelPath));
        if (!file.Exists)
        {
            // Thanos lists tombstones it never uploads.
            if (listed.RelPath != Tombstones.FileName)
            {
                defects.Add(file.FullName, 0, $"{BlockMeta.FileName} lists the file, but it is missing");
            }
        }
        else if (listed.SizeBytes is { } size && size != file.Length)
        {
            defects.Add(file.FullName, Math.Min(size, file.Length), $"the file has {file.Length} bytes, but {BlockMeta.FileName} says {size}");
        }
    }

    private static Tombstones? ReadTombstones(string directory, DefectList defects)
    {
        try
        {
            return Tombstones.Read(new LocalBlockFiles(directory));
        }
        catch (InvalidDataException e)
        {
            defects.Add(e, Path.Combine(directory, Tombstones.FileName));
            return null;
        }
    }

    private static void CheckTombstones(string directory, Tombstones? tombstones, ReadOnlySpan<uint> series, DefectList defects)
    {
        foreach (var reference in tombstones?.Series ?? [])
        {
            if (series.BinarySearch(reference) < 0)
            {
                defects.Add(Path.Combine(directory, Tombstones.FileName), 0, $"samples of series {reference} are deleted, but the index has no such series");
            }
        }
    }

    private static void CheckStats(string directory, BlockMeta meta, ulong series, Tombstones? tombstones, ChunkVerifier chunks, DefectList defects)
    {
        var path = Path.Combine(directory, BlockMeta.FileName);
        Compare("series", meta.Stats.NumSeries, series);
        Compare("chunks", meta.Stats.NumChunks, chunks.Chunks);
        Compare("samples", meta.Stats.NumSamples, chunks.Floats + chunks.Histograms);
        // Older programs count all samples together.
        if (meta.Stats.NumFloatSamples + meta.Stats.NumHistogramSamples > 0)
        {
            Compare("float samples", meta.Stats.NumFloatSamples, chunks.Floats);
            Compare("histogram samples", meta.Stats.NumHistogramSamples, chunks.Histograms);
        }

        if (tombstones is not null && meta.Stats.NumTombstones > 0)
        {
            Compare("tombstones", meta.Stats.NumTombstones, (ulong)tombstones.Count);
        }

        void Compare(string what, ulong said, ulong counted)
        {
            if (said != counted)
            {
                defects.Add(path, 0, $"it says the block has {said} {what}, but there are {counted}");
            }
        }
    }
}
