using System.Security.Cryptography;
using System.Text;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Splits a block that was made elsewhere by ranges of the series hash, so that each shard gets the series it owns.</summary>
/// <remarks>
/// Every byte read is verified; whole chunks are copied as they are, so downsampled ones survive; deletions are carried out. Memory: the labels of the
/// block's series. A part's name follows from the block's and the range, so that splitting once more gives the same names.
/// </remarks>
public sealed class BlockSplit : IDisposable
{
    private readonly BlockReader block;
    private readonly IDisposable held;
    private readonly IReadOnlyList<HashRange> ranges;
    private readonly List<(byte[] Labels, uint Reference)>[] parts;

    /// <summary>Reads which series go where.</summary>
    /// <param name="block">The block, which stays the caller's.</param>
    /// <param name="ranges">The ranges; a series that lies in none of them is left out.</param>
    /// <param name="labels">Labels that every series gets, in place of its own of the same name.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public BlockSplit(BlockReader block, IReadOnlyList<HashRange> ranges, IReadOnlyDictionary<string, string> labels, CancellationToken cancellation = default)
    {
        this.block = block;
        this.ranges = ranges;
        held = block.Hold();
        parts = [.. ranges.Select(_ => new List<(byte[], uint)>())];
        try
        {
            Distribute(labels, cancellation);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>The name of the part of a block in a range: as old as the block, so that the newer of two blocks stays the newer.</summary>
    public static Ulid NameOf(Ulid block, HashRange range)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.ASCII.GetBytes($"{block}/{range}"), hash);
        var low = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash) >> 48;
        return new Ulid((block.Value >> 80 << 80) | low);
    }

    /// <summary>Writes the part for one of the ranges into a directory; null when it has no series.</summary>
    /// <exception cref="InvalidDataException">The block is damaged, or new labels make one of two series.</exception>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public BlockMeta? Write(int range, string directory, BlockDescription description, CancellationToken cancellation = default)
    {
        if (parts[range].Count == 0)
        {
            return null;
        }

        using var writer = new BlockWriter(directory, NameOf(block.Meta.Ulid, ranges[range]), description with { MinTimeMs = block.Meta.MinTime, MaxTimeMs = block.Meta.MaxTime });
        using var copy = new SeriesCopy(block, TimeRange.All, writer);
        byte[]? last = null;
        foreach (var (labels, reference) in parts[range])
        {
            cancellation.ThrowIfCancellationRequested();
            if (last is not null && last.AsSpan().SequenceEqual(labels))
            {
                BlockDamage.Throw(
                    Path.Combine(block.DirectoryPath, BlockReader.IndexFileName),
                    (long)reference * IndexFormat.SeriesAlignment,
                    $"with the block's external labels two series become one: {Labels.FromEncoded(labels)}; import without them");
            }

            last = labels;
            copy.Copy(reference, labels);
        }

        return writer.SeriesCount > 0 ? writer.Finish() : null;
    }

    /// <inheritdoc/>
    public void Dispose() => held.Dispose();

    private void Distribute(IReadOnlyDictionary<string, string> labels, CancellationToken cancellation)
    {
        using var all = new PostingsBuffer();
        block.Index.AddAll(all);
        var entry = new SeriesEntry();
        var builder = new LabelsBuilder();
        foreach (var reference in all.Items)
        {
            cancellation.ThrowIfCancellationRequested();
            block.Index.ReadSeries(reference, entry);
            var encoded = entry.CanonicalLabels.ToArray();
            if (labels.Count > 0)
            {
                builder.Reset(Labels.FromEncoded(encoded));
                foreach (var (name, value) in labels)
                {
                    builder.Set(name, value);
                }

                encoded = builder.ToLabels().Encoded.ToArray();
            }

            var hash = SeriesHash.Of(encoded);
            for (var i = 0; i < ranges.Count; i++)
            {
                if (ranges[i].Contains(hash))
                {
                    parts[i].Add((encoded, reference));
                    break;
                }
            }
        }

        // A label more can change which of two series comes first.
        if (labels.Count > 0)
        {
            foreach (var part in parts)
            {
                part.Sort((a, b) => Labels.Compare(a.Labels, b.Labels));
            }
        }
    }
}
