using System.Buffers;

namespace Metrics.Storage;

/// <summary>Sealed chunks on their way into a file. A head has one at a time, and uses it again.</summary>
public sealed class SpillBatch
{
    private readonly List<(uint Reference, long From, long To)> moves = [];
    private readonly List<(uint Reference, HistogramSamples.Chunk Chunk, long To)> histogramMoves = [];
    private byte[] buffer = [];
    private int room;
    private int used;

    internal SpillBatch()
    {
    }

    internal ChunkFile File { get; private set; } = null!;

    /// <summary>The records: of which series, where they lie in memory, and their links in the file.</summary>
    internal IReadOnlyList<(uint Reference, long From, long To)> Moves => moves;

    /// <summary>The same of native histograms.</summary>
    internal IReadOnlyList<(uint Reference, HistogramSamples.Chunk Chunk, long To)> HistogramMoves => histogramMoves;

    /// <summary>What to give to <see cref="Rewind"/>.</summary>
    internal (int Moves, int HistogramMoves, int Used) Mark => (moves.Count, histogramMoves.Count, used);

    /// <summary>Begins: records for a file that has so much room.</summary>
    /// <exception cref="InvalidOperationException">What was in it before was neither applied nor abandoned.</exception>
    internal SpillBatch For(ChunkFile file, int bytes)
    {
        if (moves.Count + histogramMoves.Count > 0)
        {
            throw new InvalidOperationException($"{moves.Count} chunks and {histogramMoves.Count} of histograms are still on their way");
        }

        File = file;
        room = bytes;
        used = 0;
        buffer = ArrayPool<byte>.Shared.Rent(room);
        return this;
    }

    /// <summary>Writes the records; once.</summary>
    /// <exception cref="IOException">The disk is full; the batch is to be abandoned.</exception>
    public void Write()
    {
        try
        {
            File.Write(buffer.AsSpan(0, used));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The bytes that a record takes: they are aligned, so that links and times in them are.</summary>
    internal static int Padded(int recordBytes) => (recordBytes + 7) & ~7;

    /// <summary>Copies a record; gives its link, or 0 when there is no room.</summary>
    internal long Add(uint reference, long from, SealedChunk chunk, long previous)
    {
        var to = Take(chunk.RecordBytes, out var link);
        if (to.IsEmpty)
        {
            return 0;
        }

        chunk.CopyTo(to, previous);
        moves.Add((reference, from, link));
        return link;
    }

    /// <summary>Copies a chunk of histograms; false when there is no room.</summary>
    internal bool Add(uint reference, HistogramSamples.Chunk chunk)
    {
        var to = Take(chunk.RecordBytes, out var link);
        if (to.IsEmpty)
        {
            return false;
        }

        SealedChunk.Write(to, chunk.Encoding, chunk.MinMs, chunk.MaxMs, chunk.Bytes);
        histogramMoves.Add((reference, chunk, link));
        return true;
    }

    /// <summary>Takes back what was added since a mark.</summary>
    internal void Rewind((int Moves, int HistogramMoves, int Used) mark)
    {
        moves.RemoveRange(mark.Moves, moves.Count - mark.Moves);
        histogramMoves.RemoveRange(mark.HistogramMoves, histogramMoves.Count - mark.HistogramMoves);
        used = mark.Used;
    }

    /// <summary>Forgets the records: they were applied or abandoned, and nothing is to be kept alive by a batch that waits for the next time.</summary>
    internal void Clear()
    {
        moves.Clear();
        histogramMoves.Clear();
    }

    private Span<byte> Take(int recordBytes, out long link)
    {
        var bytes = Padded(recordBytes);
        link = ChunkSpill.Link(File.Number, File.Length + used);
        if (used + bytes > room)
        {
            return default;
        }

        var taken = buffer.AsSpan(used, bytes);
        taken[recordBytes..].Clear();
        used += bytes;
        return taken[..recordBytes];
    }
}
