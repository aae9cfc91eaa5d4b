using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Walks the series of a block that were found in its postings, those whose hash lies in a range, while the caller holds a reference to the block.</summary>
internal ref struct MatchingSeries
{
    private const int BetweenCancellationChecks = 1024;

    private readonly BlockReader block;
    private readonly ReadOnlySpan<uint> references;
    private readonly HashRange within;
    private readonly CancellationToken cancellation;
    private int at = -1;

    /// <summary>Starts before the first; fetches what will be read, when it is far away.</summary>
    public MatchingSeries(BlockReader block, ReadOnlySpan<uint> references, HashRange within, CancellationToken cancellation)
    {
        this.block = block;
        this.references = references;
        this.within = within;
        this.cancellation = cancellation;
        block.Index.PrefetchSeries(references, cancellation);
    }

    /// <summary>Labels and chunks of the series, until the next one.</summary>
    public SeriesEntry Entry { get; } = new();

    /// <summary>Its reference in the index.</summary>
    public readonly uint Reference => references[at];

    /// <summary>Goes on to the next series; false at the end.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public bool MoveNext()
    {
        while (++at < references.Length)
        {
            if (at % BetweenCancellationChecks == BetweenCancellationChecks - 1)
            {
                cancellation.ThrowIfCancellationRequested();
            }

            block.Index.ReadSeries(references[at], Entry);
            if (within.Bits == 0 || within.Contains(SeriesHash.Of(Entry.CanonicalLabels)))
            {
                return true;
            }
        }

        return false;
    }
}
