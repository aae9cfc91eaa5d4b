using Metrics.Model;

namespace Metrics.Storage;

/// <content>How float chunks are brought into the block's encoding.</content>
public sealed partial class BlockWriter
{
    /// <summary>Samples of an XOR chunk that is encoded here; 120 is Prometheus's.</summary>
    private const int ChunkSamples = 120;

    // Floats of the series at hand that are not in a chunk yet.
    private readonly SampleBuffer pending = new();
    private readonly ChunkRun plain = new(ChunkSamples);
    private DenseChunkWriter? dense;
    private bool hasDense;

    // Its buffers are only for those who need them.
    private DenseChunkWriter Dense => dense ??= new DenseChunkWriter(segments);

    /// <summary>Adds floats to the series at hand, later than what is there; false when the block's float chunks are not dense, and somebody else is to encode them.</summary>
    public bool TryAddFloats(ReadOnlySpan<long> times, ReadOnlySpan<double> values)
    {
        CheckOpen();
        if (description.FloatEncoding != ChunkEncoding.Dense)
        {
            return false;
        }

        pending.Reserve(times.Length, out var timeColumn, out var valueColumn);
        times.CopyTo(timeColumn);
        values.CopyTo(valueColumn);
        pending.Advance(times.Length);
        CheckOrder(pending.Count - times.Length);
        return true;
    }

    /// <summary>Adds a chunk of another block to the series at hand: as it is, or in the encoding that this block's chunks have.</summary>
    /// <exception cref="InvalidDataException">The chunk is damaged; the message names file, offset and reason.</exception>
    public void CopyChunk(BlockReader from, ChunkMeta chunk)
    {
        CheckOpen();
        var data = from.ReadChunk(chunk, out var encoding);
        if (encoding == ChunkEncoding.Dense)
        {
            CopyDense(from, chunk, data);
        }
        else if (encoding == ChunkEncoding.Xor && description.FloatEncoding == ChunkEncoding.Dense)
        {
            DecodePending(from, chunk);
        }
        else
        {
            AddChunk(encoding, chunk.MinMs, chunk.MaxMs, data);
        }
    }

    private void CopyDense(BlockReader from, ChunkMeta chunk, ReadOnlySpan<byte> data)
    {
        if (description.FloatEncoding == ChunkEncoding.Xor)
        {
            using var samples = new SampleBuffer(DenseChunk.MaxSamples);
            from.Decode(chunk, TimeRange.All, samples);
            plain.Write(samples, this);
        }
        else if (description.FloatEncoding == ChunkEncoding.Dense && !ChunkWindows.IsFull(chunk, XorChunk.Count(data)))
        {
            // It becomes one with its neighbours.
            DecodePending(from, chunk);
        }
        else
        {
            WritePending();
            hasDense = true;
            Note(from.CopyDense(chunk, data, Dense), chunk.MinMs, chunk.MaxMs, (uint)XorChunk.Count(data), isHistogram: false);
        }
    }

    private void DecodePending(BlockReader from, ChunkMeta chunk)
    {
        var before = pending.Count;
        from.Decode(chunk, TimeRange.All, pending);
        CheckOrder(before);
    }

    private void CheckOrder(int joint)
    {
        if (joint > 0 && joint < pending.Count && pending.Times[joint] <= pending.Times[joint - 1])
        {
            throw new InvalidDataException($"a chunk begins at {pending.Times[joint]}, but the one before ends at {pending.Times[joint - 1]}");
        }
    }

    private void WritePending()
    {
        if (pending.Count == 0)
        {
            return;
        }

        hasDense = true;
        var times = pending.Times;
        var values = pending.Values;
        var window = ChunkWindows.LengthFor(times);
        for (var at = 0; at < times.Length;)
        {
            var end = ChunkWindows.EndOf(times, at, window);
            Note(Dense.Write(times[at..end], values[at..end]), times[at], times[end - 1], (uint)(end - at), isHistogram: false);
            at = end;
        }

        pending.Clear();
    }
}
