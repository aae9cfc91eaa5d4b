using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Brings the chunks of one series from several blocks together: copied as they are where nothing stands in the way, decoded and encoded anew where they overlap or lose samples.</summary>
/// <remarks>Reused from series to series; not thread-safe. Of two samples at one instant that of the later input stays, and within an input that of the earlier chunk, as when reading.</remarks>
internal sealed class SeriesMerge(MergeRequest request) : IDisposable
{
    private readonly List<Piece> pieces = [];
    private readonly List<TimeRange> deleted = [];
    private readonly ChunkRun encoder = new(request.ChunkSamples);
    private SampleBuffer merged = new();
    private SampleBuffer spare = new();
    private SampleBuffer own = new();
    private SampleBuffer next = new();

    /// <summary>Forgets the last series.</summary>
    public void Clear()
    {
        pieces.Clear();
        deleted.Clear();
    }

    /// <summary>Takes the chunks of the series that a cursor stands on, except those that are wholly deleted or out of range.</summary>
    public void Add(BlockCursor cursor)
    {
        var from = deleted.Count;
        cursor.AddDeleted(deleted);
        var count = deleted.Count - from;
        foreach (var chunk in cursor.Entry.Chunks)
        {
            var time = new TimeRange(chunk.MinMs, chunk.MaxMs);
            var gone = CollectionsMarshal.AsSpan(deleted).Slice(from, count);
            if (request.Range.Overlaps(time) && !Covers(gone, time))
            {
                pieces.Add(new Piece(cursor.Input.Block, cursor.Order, chunk, from, count, IsCut(gone, time)));
            }
        }
    }

    /// <summary>Writes what was taken, if anything is left.</summary>
    public void Write(ReadOnlySpan<byte> canonicalLabels, BlockWriter to)
    {
        if (pieces.Count == 0)
        {
            return;
        }

        to.BeginSeries(canonicalLabels);
        pieces.Sort(static (a, b) => a.Chunk.MinMs != b.Chunk.MinMs ? a.Chunk.MinMs.CompareTo(b.Chunk.MinMs) : a.Order.CompareTo(b.Order));
        var rewritten = false;
        for (var at = 0; at < pieces.Count;)
        {
            var end = Overlapping(at);
            if (end == at + 1 && !pieces[at].IsCut)
            {
                end = Joinable(at);
            }

            if (end == at + 1 && !pieces[at].IsCut)
            {
                Copy(pieces[at], rewritten, to);
                rewritten = false;
            }
            else
            {
                Rewrite(CollectionsMarshal.AsSpan(pieces)[at..end], to);
                rewritten = true;
            }

            at = end;
        }

    }

    /// <summary>Gives the buffers back.</summary>
    public void Dispose()
    {
        merged.Dispose();
        spare.Dispose();
        own.Dispose();
        next.Dispose();
    }

    private static bool Covers(ReadOnlySpan<TimeRange> gone, TimeRange time)
    {
        foreach (var range in gone)
        {
            if (range.Covers(time))
            {
                return true;
            }
        }

        return false;
    }

    private bool IsCut(ReadOnlySpan<TimeRange> gone, TimeRange time)
    {
        foreach (var range in gone)
        {
            if (range.Overlaps(time))
            {
                return true;
            }
        }

        return time.MinMs < request.Range.MinMs || time.MaxMs > request.Range.MaxMs;
    }

    /// <summary>The end of the pieces from one on that overlap each other in a chain.</summary>
    private int Overlapping(int from)
    {
        var maxMs = pieces[from].Chunk.MaxMs;
        var end = from + 1;
        while (end < pieces.Count && pieces[end].Chunk.MinMs <= maxMs)
        {
            maxMs = Math.Max(maxMs, pieces[end++].Chunk.MaxMs);
        }

        return end;
    }

    /// <summary>The end of the pieces from one on that are XOR chunks so small that together they fill no more than one. The writer of dense chunks joins them itself.</summary>
    private int Joinable(int from)
    {
        var samples = FloatsOf(pieces[from]);
        if (samples == 0 || samples > request.ChunkSamples / 2 || request.Description.FloatEncoding == ChunkEncoding.Dense)
        {
            return from + 1;
        }

        var end = from + 1;
        while (end < pieces.Count && Overlapping(end) == end + 1 && !pieces[end].IsCut && FloatsOf(pieces[end]) is > 0 and var more && samples + more <= request.ChunkSamples)
        {
            samples += more;
            end++;
        }

        return end;
    }

    private static int FloatsOf(in Piece piece)
    {
        var data = piece.Block.ReadChunk(piece.Chunk, out var encoding);
        return encoding == ChunkEncoding.Xor && data.Length >= 2 ? BinaryPrimitives.ReadUInt16BigEndian(data) : 0;
    }

    private static void Copy(in Piece piece, bool afterRewriting, BlockWriter to)
    {
        var data = piece.Block.ReadChunk(piece.Chunk, out var encoding);
        if (afterRewriting && encoding is ChunkEncoding.Histogram or ChunkEncoding.FloatHistogram && data.Length > 2 && data[2] == 0x40)
        {
            // "No reset since the chunk before" was said of another chunk than the one that is before it now.
            var unknown = data.ToArray();
            unknown[2] = 0;
            to.AddChunk(encoding, piece.Chunk.MinMs, piece.Chunk.MaxMs, unknown);
            return;
        }

        to.CopyChunk(piece.Block, piece.Chunk);
    }

    private void Rewrite(Span<Piece> cluster, BlockWriter to)
    {
        cluster.Sort(static (a, b) => a.Order != b.Order ? a.Order.CompareTo(b.Order) : a.Chunk.MinMs.CompareTo(b.Chunk.MinMs));
        merged.Clear();
        for (var at = 0; at < cluster.Length;)
        {
            own.Clear();
            var order = cluster[at].Order;
            for (; at < cluster.Length && cluster[at].Order == order; at++)
            {
                Decode(cluster[at]);
                spare.Clear();
                SampleBuffer.Merge(own, next, spare);
                (own, spare) = (spare, own);
            }

            spare.Clear();
            SampleBuffer.Merge(own, merged, spare);
            (merged, spare) = (spare, merged);
        }

        encoder.Write(merged, to);
    }

    private void Decode(in Piece piece)
    {
        next.Clear();
        piece.Block.Decode(piece.Chunk, new TimeRange(Math.Max(piece.Chunk.MinMs, request.Range.MinMs), Math.Min(piece.Chunk.MaxMs, request.Range.MaxMs)), next);
        if (piece.DeletedCount == 0)
        {
            return;
        }

        spare.Clear();
        var gone = CollectionsMarshal.AsSpan(deleted).Slice(piece.FirstDeleted, piece.DeletedCount);
        for (var i = 0; i < next.Count; i++)
        {
            if (!Covers(gone, new TimeRange(next.Times[i], next.Times[i])))
            {
                spare.AddFrom(next, i);
            }
        }

        (next, spare) = (spare, next);
    }

    private readonly record struct Piece(BlockReader Block, int Order, ChunkMeta Chunk, int FirstDeleted, int DeletedCount, bool IsCut);
}
