using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Merges blocks into one, or into several of disjoint hash ranges when one would be too large.</summary>
/// <remarks>
/// Inputs may overlap in any way. Their series are walked side by side in label order, so that memory holds one series of each input and the writers' indexes. Any order and any grouping of
/// merges gives the same samples; where inputs disagree about an instant the later one in the list stays.
/// </remarks>
public static class BlockMerge
{
    /// <summary>Writes the blocks and gives their descriptions, by hash range; none when no sample is left.</summary>
    /// <exception cref="InvalidDataException">An input is damaged; nothing is left behind.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public static IReadOnlyList<BlockMeta> Run(IReadOnlyList<MergeInput> inputs, MergeRequest request, CancellationToken cancellation)
    {
        using var outputs = new MergeOutputs(inputs, request);
        using var series = new SeriesMerge(request);
        var cursors = new List<BlockCursor>(inputs.Count);
        try
        {
            var queue = new PriorityQueue<BlockCursor, BlockCursor>(Comparer<BlockCursor>.Create(ByLabels));
            foreach (var input in inputs)
            {
                cursors.Add(new BlockCursor(input, cursors.Count));
                Advance(queue, cursors[^1]);
            }

            var labels = new List<byte>();
            while (queue.TryDequeue(out var first, out _))
            {
                cancellation.ThrowIfCancellationRequested();
                series.Clear();
                series.Add(first);
                labels.Clear();
                labels.AddRange(first.Entry.CanonicalLabels);
                var same = CollectionsMarshal.AsSpan(labels);
                while (queue.TryPeek(out var other, out _) && other.Entry.CanonicalLabels.SequenceEqual(same))
                {
                    series.Add(queue.Dequeue());
                    Advance(queue, other);
                }

                Advance(queue, first);
                outputs.Write(series, same);
            }
        }
        finally
        {
            cursors.ForEach(c => c.Dispose());
        }

        return outputs.Finish();
    }

    private static void Advance(PriorityQueue<BlockCursor, BlockCursor> queue, BlockCursor cursor)
    {
        if (cursor.MoveNext())
        {
            queue.Enqueue(cursor, cursor);
        }
    }

    private static int ByLabels(BlockCursor left, BlockCursor right)
    {
        var order = Labels.Compare(left.Entry.CanonicalLabels, right.Entry.CanonicalLabels);
        return order != 0 ? order : left.Order.CompareTo(right.Order);
    }
}
