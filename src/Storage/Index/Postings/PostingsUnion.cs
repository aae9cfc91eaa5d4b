namespace Metrics.Storage;

/// <summary>Collects many ascending lists and merges them into one.</summary>
/// <remarks>The lists lie one behind another as runs and are merged pairwise, level by level: O(n log k). Not thread-safe.</remarks>
internal sealed class PostingsUnion : IDisposable
{
    private readonly List<int> runEnds = [];
    private readonly PostingsBuffer merged = new(1);
    private readonly PostingsBuffer runs = new();

    /// <summary>Appends a list of the source as one more run.</summary>
    public void Add(IPostingsSource source, long list)
    {
        source.AddList(list, runs);
        var start = runEnds.Count == 0 ? 0 : runEnds[^1];
        if (runs.Count > start)
        {
            runEnds.Add(runs.Count);
        }
    }

    /// <summary>Appends lists of the source, each as one more run.</summary>
    public void Add(IPostingsSource source, ReadOnlySpan<long> lists)
    {
        source.PrefetchLists(lists);
        foreach (var list in lists)
        {
            Add(source, list);
        }
    }

    /// <summary>Merges what was collected and appends it to <paramref name="into"/>; the union is empty afterwards.</summary>
    public void MoveTo(PostingsBuffer into)
    {
        while (runEnds.Count > 1)
        {
            MergeLevel();
        }

        into.Add(runs.Items);
        runs.Clear();
        runEnds.Clear();
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        runs.Dispose();
        merged.Dispose();
    }

    private void MergeLevel()
    {
        merged.Clear();
        var to = merged.Extend(runs.Count);
        int start = 0, written = 0, kept = 0;
        for (var i = 0; i < runEnds.Count; i += 2)
        {
            var middle = runEnds[i];
            var end = i + 1 < runEnds.Count ? runEnds[i + 1] : middle;
            written += PostingsSets.Union(runs.Items[start..middle], runs.Items[middle..end], to[written..]);
            runEnds[kept++] = written;
            start = end;
        }

        merged.Truncate(written);
        runEnds.RemoveRange(kept, runEnds.Count - kept);
        runs.Swap(merged);
    }
}
