namespace Metrics.Storage;

/// <summary>Writes floats as dense chunks, and dense chunks of other blocks, to the segments of a block. Not thread-safe.</summary>
/// <remarks>A time column is written before the first chunk that refers to it, once a segment. Chunks of other blocks keep their values as they are; only their columns find a new home.</remarks>
internal sealed class DenseChunkWriter(ChunkSegmentWriter segments)
{
    /// <summary>Fewer times stand in the chunk itself, unless a column has them already: a column of their own would cost more than it saves.</summary>
    private const int FewTimes = 16;

    /// <summary>Copied columns that are remembered, of 48 bytes each.</summary>
    private const int MaxCopied = 256 * 1024;

    private readonly ValueEncoder valueEncoder = new();
    private readonly IntegerEncoder timeEncoder = new();
    private readonly TimeColumnTable columns = new();
    private readonly Dictionary<(long Segments, ulong Reference), ColumnPlace> copied = [];
    private readonly byte[] column = new byte[TimeColumn.MaxBytes];
    private readonly byte[] payload = new byte[DenseChunk.Header.MaxBytes + TimeColumn.MaxBytes + ValueEncoder.MaxBytes(DenseChunk.MaxSamples)];
    private readonly long[] times = new long[DenseChunk.MaxSamples];
    private int segment = -1;

    /// <summary>Writes ascending samples, at most <see cref="DenseChunk.MaxSamples"/>, as one chunk; returns its reference.</summary>
    public ulong Write(ReadOnlySpan<long> sampleTimes, ReadOnlySpan<double> values)
    {
        FollowSegments();
        var encoded = valueEncoder.Encode(values, out var form);
        if (sampleTimes.Length < FewTimes && !columns.TryFind(sampleTimes, out _))
        {
            var at = new DenseChunk.Header(values.Length, DenseChunk.TimeForm.Inline, form, 0, 0, 0).Write(payload);
            at += timeEncoder.Encode(sampleTimes, payload.AsSpan(at));
            encoded.CopyTo(payload.AsSpan(at));
            return segments.Write(ChunkEncoding.Dense, payload.AsSpan(0, at + encoded.Length));
        }

        var place = Home(sampleTimes, encoded.Length);
        return WriteChunk(place, values.Length, form, encoded);
    }

    /// <summary>Writes a chunk of another block; returns its reference.</summary>
    /// <exception cref="InvalidDataException">The chunk, or its time column, is damaged.</exception>
    public ulong Copy(ChunkSegments from, ulong reference, ReadOnlySpan<byte> chunk)
    {
        FollowSegments();
        var header = DenseChunk.Header.Read(chunk);
        var rest = chunk[header.Length..];
        if (header.Times == DenseChunk.TimeForm.Inline)
        {
            return segments.Write(ChunkEncoding.Dense, chunk);
        }

        var key = (from.Number, TimeColumns.ReferenceOf(reference, header));
        if (!segments.Fits(DenseChunk.Header.MaxBytes + rest.Length))
        {
            Cut();
        }

        if (!copied.TryGetValue(key, out var place) || !IsNear(place))
        {
            place = HomeOf(from.ReadColumn(key.Item2), rest.Length);
            if (copied.Count == MaxCopied)
            {
                copied.Clear();
            }

            copied[key] = place;
        }

        return WriteChunk(place with { Offset = place.Offset + header.Offset }, header.Count, header.Values, rest);
    }

    private ColumnPlace HomeOf(ReadOnlySpan<byte> foreign, int valueBytes)
    {
        var all = times.AsSpan(0, TimeColumn.Count(foreign));
        TimeColumn.Decode(foreign, all);
        return Home(all, valueBytes);
    }

    /// <summary>Finds or writes the column of some times, in the segment that has room for a chunk with so many bytes of values, too.</summary>
    private ColumnPlace Home(ReadOnlySpan<long> all, int valueBytes)
    {
        var chunkBytes = DenseChunk.Header.MaxBytes + valueBytes;
        if (segments.Fits(chunkBytes) && columns.TryFind(all, out var place) && IsNear(place))
        {
            return place;
        }

        var length = TimeColumn.Encode(all, timeEncoder, column);
        if (!segments.Fits(length, chunkBytes))
        {
            Cut();
        }

        var position = (uint)segments.WriteHere(ChunkEncoding.TimeColumn, column.AsSpan(0, length));
        columns.Add(all, column.AsSpan(0, length), position);
        return new ColumnPlace(position, 0, all.Length);
    }

    // In a segment larger than any Prometheus writes a column may be out of reach.
    private bool IsNear(in ColumnPlace place) => segments.Position - place.Position < int.MaxValue;

    private ulong WriteChunk(in ColumnPlace place, int count, ValueForm form, ReadOnlySpan<byte> values)
    {
        var timeForm = place.Offset == 0 && place.Count == count ? DenseChunk.TimeForm.Whole : DenseChunk.TimeForm.Slice;
        var at = new DenseChunk.Header(count, timeForm, form, segments.Position - place.Position, place.Offset, 0).Write(payload);
        values.CopyTo(payload.AsSpan(at));
        return segments.WriteHere(ChunkEncoding.Dense, payload.AsSpan(0, at + values.Length));
    }

    private void Cut()
    {
        segments.Cut();
        FollowSegments();
    }

    // A chunk refers to what lies in its own segment; other chunks of the block end segments, too.
    private void FollowSegments()
    {
        if (segment != segments.Segment)
        {
            segment = segments.Segment;
            columns.Clear();
            copied.Clear();
        }
    }
}
