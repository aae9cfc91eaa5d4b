using System.Collections;

namespace Metrics.PromQL.Execution;

/// <summary>The rows of batches, one batch behind the other; nothing is kept for a row.</summary>
internal sealed class RowList : IReadOnlyList<StepRow>
{
    private readonly List<StepBatch> batches = [];
    private readonly List<int> ends = [];

    // All batches but the last are full, as operators make them; batches of several runs are not.
    private bool isEven = true;

    /// <inheritdoc/>
    public int Count => ends.Count == 0 ? 0 : ends[^1];

    /// <summary>The batches.</summary>
    public IReadOnlyList<StepBatch> Batches => batches;

    /// <inheritdoc/>
    public StepRow this[int index]
    {
        get
        {
            if (isEven)
            {
                return batches[index / VectorOperator.BatchSize].Row(index % VectorOperator.BatchSize);
            }

            var at = ends.BinarySearch(index);
            at = at < 0 ? ~at : at + 1;
            return batches[at].Row(at == 0 ? index : index - ends[at - 1]);
        }
    }

    /// <summary>Appends a batch, whose number of rows does not change any more; one without rows is disposed.</summary>
    public void Add(StepBatch batch)
    {
        if (batch.Series == 0)
        {
            batch.Dispose();
            return;
        }

        isEven &= ends.Count == 0 || ends[^1] == batches.Count * VectorOperator.BatchSize;
        batches.Add(batch);
        ends.Add(Count + batch.Series);
    }

    /// <summary>Forgets all.</summary>
    public void Clear()
    {
        batches.Clear();
        ends.Clear();
        isEven = true;
    }

    /// <inheritdoc/>
    public IEnumerator<StepRow> GetEnumerator()
    {
        foreach (var batch in batches)
        {
            for (var row = 0; row < batch.Series; row++)
            {
                yield return batch.Row(row);
            }
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
