using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Copies a block with its float chunks in another encoding: dense ones become readable for Prometheus and Thanos, XOR ones small.</summary>
/// <remarks>Samples, name and description stay; deletions are carried out. Every byte read is verified. Chunks of histograms and of aggregates are copied as they are.</remarks>
public static class BlockConversion
{
    /// <summary>Writes the block; null, and nothing is written, when every sample of it is deleted.</summary>
    /// <param name="block">The block.</param>
    /// <param name="floats">The encoding, <see cref="ChunkEncoding.Xor"/> or <see cref="ChunkEncoding.Dense"/>.</param>
    /// <param name="directory">Where the new block's directory is made; not where the old one lies.</param>
    /// <param name="cancellation">Stops it; nothing stays.</param>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    /// <exception cref="IOException">The directory cannot be written, or has a block of the name.</exception>
    public static BlockMeta? Write(BlockReader block, ChunkEncoding floats, string directory, CancellationToken cancellation = default)
    {
        using var held = block.Hold();
        var meta = block.Meta;
        var target = Path.Combine(directory, meta.Ulid.ToString());
        if (Directory.Exists(target))
        {
            throw new IOException($"{target} exists already");
        }

        using var writer = new BlockWriter(directory, meta.Ulid, new BlockDescription
        {
            MinTimeMs = meta.MinTime,
            MaxTimeMs = meta.MaxTime,
            Compaction = meta.Compaction,
            Thanos = meta.Thanos,
            Metrics = meta.Metrics is { } ours ? ours with { Seal = null, ChunkEncodings = null } : null,
            FloatEncoding = floats,
        });
        using var references = new PostingsBuffer();
        block.Index.AddAll(references);
        using var series = new SeriesCopy(block, TimeRange.All, writer);
        foreach (var reference in references.Items)
        {
            cancellation.ThrowIfCancellationRequested();
            series.Copy(reference);
        }

        return writer.SeriesCount > 0 ? writer.Finish() : null;
    }
}
