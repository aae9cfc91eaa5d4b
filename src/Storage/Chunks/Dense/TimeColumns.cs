namespace Metrics.Storage;

/// <summary>Finds the time columns that a chunk refers to: those before it in its segment.</summary>
/// <remarks>The default finds none: a chunk outside a segment has its times with it, or can't be read.</remarks>
public readonly struct TimeColumns
{
    private readonly ChunkSegments? segments;
    private readonly ulong chunk;

    /// <summary>The columns for the chunk of a reference.</summary>
    internal TimeColumns(ChunkSegments segments, ulong chunk)
    {
        this.segments = segments;
        this.chunk = chunk;
    }

    /// <summary>Where the column of a chunk lies.</summary>
    /// <exception cref="InvalidDataException">It would lie outside the segment.</exception>
    internal static ulong ReferenceOf(ulong chunk, in DenseChunk.Header header)
    {
        if (header.Distance == 0 || header.Distance > (uint)chunk - ChunkSegments.HeaderBytes)
        {
            DenseReader.Throw($"its time column would lie {header.Distance} bytes before it");
        }

        return chunk - (ulong)header.Distance;
    }

    /// <summary>Copies the chunk's times out of its column.</summary>
    /// <exception cref="InvalidDataException">There is no such column, or it is damaged or too short.</exception>
    internal void Copy(in DenseChunk.Header header, Span<long> into)
    {
        if (segments is null)
        {
            DenseReader.Throw("its times stand in a column, but it is in no segment");
        }

        var reference = ReferenceOf(chunk, header);
        if (TimeColumnCache.Find(segments, reference) is { } cached)
        {
            CopyPart(cached, header, into);
            return;
        }

        var data = segments.ReadColumn(reference);
        Span<long> times = stackalloc long[TimeColumn.Count(data)];
        TimeColumn.Decode(data, times);
        TimeColumnCache.Offer(segments, reference, times);
        CopyPart(times, header, into);
    }

    private static void CopyPart(ReadOnlySpan<long> times, in DenseChunk.Header header, Span<long> into)
    {
        if (header.Times == DenseChunk.TimeForm.Whole ? times.Length != header.Count : header.Offset > times.Length - header.Count)
        {
            DenseReader.Throw($"it takes {header.Count} times from {header.Offset} on of a column of {times.Length}");
        }

        times.Slice(header.Offset, header.Count).CopyTo(into);
    }
}
