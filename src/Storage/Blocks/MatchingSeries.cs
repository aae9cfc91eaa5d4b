using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Walks the series of a block that satisfy matchers and whose hash lies in a range, while the caller holds a reference to the block.</summary>
internal ref struct MatchingSeries
{
    private const int BetweenCancellationChecks = 1024;

    private readonly BlockReader block;
    private readonly PostingsBuffer postings = new();
    private readonly HashRange within;
    private readonly CancellationToken cancellation;
    private int at = -1;

    /// <summary>Starts before the first; fetches what will be read, when it is far away.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public MatchingSeries(BlockReader block, IReadOnlyList<Matcher> matchers, HashRange within, CancellationToken cancellation)
    {
        this.block = block;
        this.within = within;
        this.cancellation = cancellation;
        PostingsSelection.Select(block.Index, matchers, postings);
        block.Index.PrefetchSeries(postings.Items, cancellation);
    }

    /// <summary>Labels and chunks of the series, until the next one.</summary>
    public SeriesEntry Entry { get; } = new();

    /// <summary>Its reference in the index.</summary>
    public readonly uint Reference => postings.Items[at];

    /// <summary>Goes on to the next series; false at the end.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public bool MoveNext()
    {
        while (++at < postings.Count)
        {
            if (at % BetweenCancellationChecks == BetweenCancellationChecks - 1)
            {
                cancellation.ThrowIfCancellationRequested();
            }

            block.Index.ReadSeries(Reference, Entry);
            if (within.Bits == 0 || within.Contains(SeriesHash.Of(Entry.CanonicalLabels)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Gives the memory back.</summary>
    public readonly void Dispose() => postings.Dispose();
}
