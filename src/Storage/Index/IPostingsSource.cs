namespace Metrics.Storage;

/// <summary>An inverted index as a selection sees it: which series carry which label. Blocks and the head implement it.</summary>
/// <remarks>
/// Lists hold series references, strictly ascending. Names and values are UTF-8. A label value without series may be visited; its list is then empty.
/// An index that grows while it is read must satisfy: a series seen in a list of one call is seen by <see cref="AddAll"/> calls made later, and never
/// leaves a list it was in. <see cref="PostingsSelection"/> asks for what it intersects before what it subtracts, so a series that arrives
/// in between is either found whole or not at all.
/// </remarks>
public interface IPostingsSource
{
    /// <summary>Appends the references of all series.</summary>
    void AddAll(PostingsBuffer into);

    /// <summary>Finds the list of a label pair; false when no series has it.</summary>
    /// <param name="name">The label name.</param>
    /// <param name="value">The label value, not empty.</param>
    /// <param name="list">A handle for <see cref="AddList"/>, valid as long as the source.</param>
    bool TryFindList(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, out long list);

    /// <summary>Appends the references in a list whose handle this source gave out.</summary>
    void AddList(long list, PostingsBuffer into);

    /// <summary>True when lists may have to be fetched from afar, so that <see cref="PrefetchLists"/> pays.</summary>
    bool IsRemote => false;

    /// <summary>Is told which lists will be asked for next, in any order; a source that fetches from afar does so side by side.</summary>
    void PrefetchLists(ReadOnlySpan<long> lists)
    {
    }

    /// <summary>Shows each value of a label name once, with the handle of its list, until the visitor returns false. Any order.</summary>
    void VisitValues(ReadOnlySpan<byte> name, ILabelValueVisitor visitor);
}

/// <summary>Is shown the values of one label name.</summary>
public interface ILabelValueVisitor
{
    /// <summary>Takes one value, borrowed for the call, and the handle of its list; returns false to stop.</summary>
    bool Visit(ReadOnlySpan<byte> value, long list);
}
