using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Copies a block, or a part of it, into a new block of plain Prometheus form, with deletions carried out.</summary>
/// <remarks>Whole chunks that Prometheus knows are copied as they are, after their checksum; others are decoded, cut and encoded again. Every byte read is verified.</remarks>
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
            FloatEncoding = ChunkEncoding.Xor,
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
}
