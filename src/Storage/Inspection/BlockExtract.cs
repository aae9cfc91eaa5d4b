using System.Buffers;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Copies a block, or a part of it, into a new block of plain Prometheus form, with deletions carried out.</summary>
/// <remarks>Whole chunks are copied as they are, after their checksum; others are decoded, cut and encoded again. Every byte read is verified.</remarks>
public static class BlockExtract
{
    /// <summary>Writes the extract, which has the block's name; null, and nothing is written, when no sample is selected.</summary>
    /// <param name="block">The block.</param>
    /// <param name="selections">Which series: those for which all matchers of at least one list hold; no list means all.</param>
    /// <param name="range">Which samples.</param>
    /// <param name="directory">Where the new block's directory is made; not where the old one lies.</param>
    /// <param name="cancellation">Stops it; nothing stays.</param>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public static BlockMeta? Write(
        BlockReader block, IReadOnlyList<IReadOnlyList<Matcher>> selections, TimeRange range, string directory, CancellationToken cancellation = default)
    {
        using var held = block.Hold();
        var target = Path.Combine(directory, block.Meta.Ulid.ToString());
        if (Directory.Exists(target))
        {
            throw new IOException($"{target} exists already");
        }

        using var writer = new BlockWriter(directory, block.Meta.Ulid, new BlockDescription
        {
            MinTimeMs = Math.Max(block.Meta.MinTime, range.MinMs),
            MaxTimeMs = range.MaxMs == long.MaxValue ? block.Meta.MaxTime : Math.Min(block.Meta.MaxTime, range.MaxMs + 1),
            Compaction = block.Meta.Compaction,
        });
        using var references = SeriesWalk.Select(block.Index, selections);
        using var series = new SeriesCopy(block, range, writer);
        foreach (var reference in references.Items)
        {
            cancellation.ThrowIfCancellationRequested();
            series.Copy(reference);
        }

        return writer.SeriesCount > 0 ? writer.Finish() : null;
    }

    private sealed class SeriesCopy(BlockReader block, TimeRange range, BlockWriter writer) : IDisposable
    {
        private readonly SeriesEntry entry = new();
        private readonly SampleBuffer decoded = new();
        private readonly SampleBuffer kept = new();

        public void Copy(uint reference)
        {
            block.Index.ReadSeries(reference, entry);
            writer.BeginSeries(entry.CanonicalLabels);
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

                var data = block.ReadChunk(chunk, out var encoding);
                if (chunk.MinMs >= range.MinMs && chunk.MaxMs <= range.MaxMs && !Touches(block.Tombstones.Of(reference), time))
                {
                    writer.AddChunk(encoding, chunk.MinMs, chunk.MaxMs, data);
                }
                else
                {
                    Cut(chunk, encoding, block.Tombstones.Of(reference));
                }
            }
        }

        public void Dispose()
        {
            decoded.Dispose();
            kept.Dispose();
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

        private void Cut(ChunkMeta chunk, ChunkEncoding encoding, ReadOnlySpan<TimeRange> deleted)
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

            if (encoding == ChunkEncoding.Xor)
            {
                AddFloats();
            }
            else
            {
                AddHistograms(encoding);
            }
        }

        private void AddFloats()
        {
            var bytes = ArrayPool<byte>.Shared.Rent(XorChunk.MaxBytes(kept.Count));
            var length = XorChunk.Encode(kept.Times, kept.Values, bytes);
            writer.AddChunk(ChunkEncoding.Xor, kept.Times[0], kept.Times[^1], bytes.AsSpan(0, length));
            ArrayPool<byte>.Shared.Return(bytes);
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
}
