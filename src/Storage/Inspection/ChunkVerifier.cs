using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Decodes the chunks of a block as the index names them, compares them with what the index says, and sees to it that none is left over. Not thread-safe.</summary>
internal sealed class ChunkVerifier : IDisposable
{
    private readonly string directory;
    private readonly TimeRange blockRange;
    private readonly DefectList defects;
    private readonly ChunkSegments? segments;
    private readonly SampleBuffer samples = new();
    private readonly List<FileInfo> files;
    private readonly List<List<Extent>> extents = [];
    private readonly HashSet<ulong> columns = [];
    private bool complete = true;

    private ChunkVerifier(string directory, List<FileInfo> files, TimeRange blockRange, DefectList defects, ChunkSegments? segments)
    {
        this.directory = directory;
        this.files = files;
        this.blockRange = blockRange;
        this.defects = defects;
        this.segments = segments;
    }

    /// <summary>Chunks seen.</summary>
    public ulong Chunks { get; private set; }

    /// <summary>Float samples seen.</summary>
    public ulong Floats { get; private set; }

    /// <summary>Histograms seen.</summary>
    public ulong Histograms { get; private set; }

    /// <summary>Opens the segments; when that fails the defect is noted and chunks are not checked.</summary>
    public static ChunkVerifier Open(string blockDirectory, TimeRange blockRange, DefectList defects)
    {
        var folder = Path.Combine(blockDirectory, ChunkSegments.DirectoryName);
        var listed = ListSegments(folder, defects);
        ChunkSegments? opened = null;
        try
        {
            opened = ChunkSegments.Open(new LocalBlockFiles(blockDirectory));
        }
        catch (InvalidDataException e)
        {
            defects.Add(e, folder);
        }

        return new ChunkVerifier(folder, listed, blockRange, defects, opened);
    }

    /// <summary>Checks the chunks of a series, and their order.</summary>
    /// <param name="chunks">As the index has them.</param>
    /// <param name="index">The index file, for messages.</param>
    /// <param name="at">Where the series lies in it.</param>
    public void CheckSeries(ReadOnlySpan<ChunkMeta> chunks, string index, long at)
    {
        if (chunks.IsEmpty)
        {
            defects.Add(index, at, "a series has no chunk");
        }

        for (var i = 0; i < chunks.Length; i++)
        {
            var chunk = chunks[i];
            if (i > 0 && chunk.MinMs <= chunks[i - 1].MaxMs)
            {
                defects.Add(index, at, $"chunk {i} of a series starts at {chunk.MinMs}, but the one before ends at {chunks[i - 1].MaxMs}");
            }

            if (!blockRange.Contains(chunk.MinMs) || !blockRange.Contains(chunk.MaxMs))
            {
                defects.Add(index, at, $"chunk {i} of a series covers {chunk.MinMs} to {chunk.MaxMs}, but the block {blockRange.MinMs} to {blockRange.MaxMs}");
            }

            Check(chunk);
        }
    }

    /// <summary>Sees to it that the chunks seen fill the segments, each byte once. To be called after all series.</summary>
    public void CheckCoverage()
    {
        for (var segment = 0; complete && segments is not null && segment < files.Count; segment++)
        {
            var seen = CollectionsMarshal.AsSpan(segment < extents.Count ? extents[segment] : []);
            seen.Sort();
            long end = ChunkSegments.HeaderBytes;
            foreach (var extent in seen)
            {
                if (extent.Start != end)
                {
                    ReportHole(segment, end, extent.Start);
                }

                end = extent.End;
            }

            if (end != files[segment].Length)
            {
                ReportHole(segment, end, files[segment].Length);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        segments?.Dispose();
        samples.Dispose();
    }

    private static List<FileInfo> ListSegments(string folder, DefectList defects)
    {
        var found = new List<FileInfo>();
        if (!Directory.Exists(folder))
        {
            return found;
        }

        foreach (var path in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
        {
            if (Path.GetFileName(path) != ChunkSegments.FileName(found.Count))
            {
                defects.Add(path, 0, $"the file is not the next segment, which would be {ChunkSegments.FileName(found.Count)}");
                continue;
            }

            found.Add(new FileInfo(path));
            CheckHead(path, defects);
        }

        return found;
    }

    // Magic number and version are checked when the segment is opened; the rest of the head nobody reads.
    private static void CheckHead(string path, DefectList defects)
    {
        Span<byte> head = stackalloc byte[ChunkSegments.HeaderBytes];
        using var file = File.OpenRead(path);
        if (file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length && head[5..].ContainsAnyExcept((byte)0))
        {
            defects.Add(path, 5, "the bytes after the version are not zero");
        }
    }

    private void Check(ChunkMeta chunk)
    {
        if (segments is null)
        {
            return;
        }

        try
        {
            var data = segments.Read(chunk.Reference, out var encoding);
            Note(chunk.Reference, data.Length);
            if (encoding == ChunkEncoding.Dense && DenseChunk.Header.Read(data) is { Distance: > 0 } header)
            {
                NoteColumn(TimeColumns.ReferenceOf(chunk.Reference, header));
            }

            if (encoding == AggregateChunk.Encoding)
            {
                var (first, last, count) = AggregateChunk.Verify(data, samples);
                Count(chunk, encoding, first, last, count);
            }
            else
            {
                samples.Clear();
                ChunkDecoding.Decode(encoding, data, TimeRange.All, samples, new TimeColumns(segments, chunk.Reference));
                Count(chunk, encoding, samples.Count > 0 ? samples.Times[0] : 0, samples.Count > 0 ? samples.Times[^1] : 0, samples.Count);
            }
        }
        catch (InvalidDataException e)
        {
            complete = false;
            defects.Add(Located(e, chunk), directory);
        }
    }

    private void Count(ChunkMeta chunk, ChunkEncoding encoding, long firstMs, long lastMs, int count)
    {
        var isHistogram = encoding is ChunkEncoding.Histogram or ChunkEncoding.FloatHistogram;
        Chunks++;
        Floats += isHistogram ? 0UL : (ulong)count;
        Histograms += isHistogram ? (ulong)count : 0UL;
        if (count == 0)
        {
            throw new InvalidDataException("a chunk has no sample");
        }

        // The counter of an aggregate may reach beyond the other aggregates.
        if (encoding == AggregateChunk.Encoding ? firstMs < chunk.MinMs || lastMs > chunk.MaxMs : firstMs != chunk.MinMs || lastMs != chunk.MaxMs)
        {
            throw new InvalidDataException($"the chunk covers {firstMs} to {lastMs}, but the index says {chunk.MinMs} to {chunk.MaxMs}");
        }
    }

    private InvalidDataException Located(InvalidDataException error, ChunkMeta chunk) =>
        error.Message.Contains(": offset ", StringComparison.Ordinal) ? error : new InvalidDataException($"{segments!.Describe(chunk.Reference)}: {error.Message}", error);

    // A column fills its place once, however many chunks refer to it.
    private void NoteColumn(ulong reference)
    {
        if (columns.Add(reference))
        {
            Note(reference, segments!.ReadColumn(reference).Length);
        }
    }

    private void Note(ulong reference, int dataBytes)
    {
        var segment = (int)(reference >> 32);
        while (extents.Count <= segment)
        {
            extents.Add([]);
        }

        var length = Varint.Length((ulong)dataBytes) + 1 + dataBytes + 4;
        extents[segment].Add(new Extent((uint)reference, (uint)((uint)reference + length)));
    }

    private void ReportHole(int segment, long end, long next)
    {
        var name = files[segment].FullName;
        if (next > end)
        {
            defects.Add(name, end, $"{next - end} bytes belong to no chunk of the index");
        }
        else
        {
            defects.Add(name, next, $"chunks of the index share {end - next} bytes");
        }
    }

    private readonly record struct Extent(uint Start, uint End) : IComparable<Extent>
    {
        public int CompareTo(Extent other) => Start.CompareTo(other.Start);
    }
}
