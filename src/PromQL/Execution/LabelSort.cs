using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>Sorts by labels: what comes sorted in long runs, as leaves' answers do, in little more than the time to look at it. Lets other work before it in between.</summary>
/// <remarks>A natural merge sort whose short runs are sorted first (Peters, Timsort, 2002).</remarks>
internal static class LabelSort
{
    private const int RunMin = 128;

    /// <summary>Sorts what belongs to series by these.</summary>
    public static void Sort<T>((SeriesHeader Header, T Value)[] items) => Sort(Array.ConvertAll(items, static i => i.Header.Labels), items);

    /// <summary>Sorts items, and their labels with them.</summary>
    public static void Sort<T>(Labels[] labels, T[] items)
    {
        var starts = Runs(labels, items);
        if (starts.Count <= 2)
        {
            return;
        }

        var (from, fromItems) = (labels, items);
        var (to, toItems) = (new Labels[labels.Length], new T[items.Length]);
        while (starts.Count > 2)
        {
            // Neighbours two by two; the last may have none, and is copied.
            var merged = new List<int>((starts.Count / 2) + 2);
            for (var run = 0; run < starts.Count - 1; run += 2)
            {
                merged.Add(starts[run]);
                var middle = starts[run + 1];
                Merge(from, fromItems, starts[run], middle, run + 2 < starts.Count ? starts[run + 2] : middle, to, toItems);
            }

            merged.Add(labels.Length);
            starts = merged;
            (from, to, fromItems, toItems) = (to, from, toItems, fromItems);
        }

        if (from != labels)
        {
            from.CopyTo(labels, 0);
            fromItems.CopyTo(items, 0);
        }
    }

    /// <summary>Where ascending runs start, and behind the last the end. Short ones are made longer.</summary>
    private static List<int> Runs<T>(Labels[] labels, T[] items)
    {
        var starts = new List<int>();
        var start = 0;
        while (start < labels.Length)
        {
            starts.Add(start);
            var end = start + 1;
            while (end < labels.Length && labels[end - 1].CompareTo(labels[end]) <= 0)
            {
                end++;
                ProcessorTurn.CheckpointAt(end);
            }

            if (end - start < RunMin)
            {
                end = Math.Min(labels.Length, start + RunMin);
                Array.Sort(labels, items, start, end - start);
                ProcessorTurn.Checkpoint();
            }

            start = end;
        }

        starts.Add(labels.Length);
        return starts;
    }

    private static void Merge<T>(Labels[] labels, T[] items, int start, int middle, int end, Labels[] to, T[] toItems)
    {
        var (left, right) = (start, middle);
        for (var at = start; at < end; at++)
        {
            var next = right == end || (left < middle && labels[left].CompareTo(labels[right]) <= 0) ? left++ : right++;
            (to[at], toItems[at]) = (labels[next], items[next]);
            ProcessorTurn.CheckpointAt(at);
        }
    }
}
