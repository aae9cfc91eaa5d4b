using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Copies series of a block into a new one: whole chunks as they are, after their checksum; those that a bound or a deletion cuts decoded and encoded again. Not thread-safe.</summary>
internal sealed class SeriesCopy(BlockReader block, TimeRange range, BlockWriter writer) : IDisposable
{
    /// <summary>Samples of an XOR chunk that was cut: as many as Prometheus's has.</summary>
    private const int ChunkSamples = 120;

    private readonly SeriesEntry entry = new();
    private readonly SampleBuffer decoded = new();
    private readonly SampleBuffer kept = new();
    private readonly ChunkRun floats = new(ChunkSamples);

    /// <summary>Copies a series under its labels.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public void Copy(uint reference)
    {
        block.Index.ReadSeries(reference, entry);
        writer.BeginSeries(entry.CanonicalLabels);
        CopyChunks(reference);
    }

    /// <summary>Copies a series under other labels.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public void Copy(uint reference, ReadOnlySpan<byte> canonicalLabels)
    {
        block.Index.ReadSeries(reference, entry);
        writer.BeginSeries(canonicalLabels);
        CopyChunks(reference);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        decoded.Dispose();
        kept.Dispose();
    }

    private void CopyChunks(uint reference)
    {
        var last = long.MinValue;
        foreach (var chunk in entry.Chunks)
        {
            if (last >= chunk.MinMs)
            {
                BlockDamage.Throw(
                    Path.Combine(block.DirectoryPath, BlockReader.IndexFileName),
                    (long)reference * IndexFormat.SeriesAlignment,
                    $"a chunk of a series starts at {chunk.MinMs}, but the one before ends at {last}");
            }

            last = chunk.MaxMs;
            var time = new TimeRange(chunk.MinMs, chunk.MaxMs);
            if (!time.Overlaps(range) || block.Tombstones.Covers(reference, time))
            {
                continue;
            }

            if (chunk.MinMs >= range.MinMs && chunk.MaxMs <= range.MaxMs && !Touches(block.Tombstones.Of(reference), time))
            {
                writer.CopyChunk(block, chunk);
            }
            else
            {
                Cut(chunk, block.Tombstones.Of(reference));
            }
        }
    }

    private static bool Touches(ReadOnlySpan<TimeRange> deleted, TimeRange time)
    {
        foreach (var range in deleted)
        {
            if (range.Overlaps(time))
            {
                return true;
            }
        }

        return false;
    }

    private void Cut(ChunkMeta chunk, ReadOnlySpan<TimeRange> deleted)
    {
        decoded.Clear();
        kept.Clear();
        block.Decode(chunk, range, decoded);
        for (var i = 0; i < decoded.Count; i++)
        {
            if (!Touches(deleted, new TimeRange(decoded.Times[i], decoded.Times[i])))
            {
                SeriesWalk.Copy(decoded, i, kept);
            }
        }

        if (kept.Count == 0)
        {
            return;
        }

        _ = block.ReadChunk(chunk, out var encoding);
        if (encoding is ChunkEncoding.Histogram or ChunkEncoding.FloatHistogram)
        {
            AddHistograms(encoding);
        }
        else
        {
            floats.Write(kept, writer);
        }
    }

    private void AddHistograms(ChunkEncoding encoding)
    {
        var encoder = new HistogramChunkEncoder(encoding);
        var first = 0;
        encoder.Begin(kept.Histograms[0]!.CounterResetHint);
        for (var i = 0; i < kept.Count; i++)
        {
            if (encoder.TryAppend(kept.Times[i], kept.Histograms[i]!))
            {
                continue;
            }

            writer.AddChunk(encoding, kept.Times[first], kept.Times[i - 1], encoder.ToBytes());
            first = i;
            encoder.Begin(encoder.NextHint);
            encoder.TryAppend(kept.Times[i], kept.Histograms[i]!);
        }

        writer.AddChunk(encoding, kept.Times[first], kept.Times[^1], encoder.ToBytes());
    }
}
