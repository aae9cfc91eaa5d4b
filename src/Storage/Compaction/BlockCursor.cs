using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Walks the series of one input of a merge, in label order.</summary>
internal sealed class BlockCursor : IDisposable
{
    private readonly PostingsBuffer series = new();
    private readonly IDisposable held;
    private int next;

    public BlockCursor(MergeInput input, int order)
    {
        Input = input;
        Order = order;

        held = input.Block.Hold();
        try
        {
            // An index holds its series in label order, so their references ascend with it.
            input.Block.Index.AddAll(series);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What is walked.</summary>
    public MergeInput Input { get; }

    /// <summary>The input's place among the others.</summary>
    public int Order { get; }

    /// <summary>The series at hand.</summary>
    public SeriesEntry Entry { get; } = new();

    /// <summary>Its reference.</summary>
    public uint Reference { get; private set; }

    /// <summary>Goes to the next series; false at the end.</summary>
    public bool MoveNext()
    {
        if (next == series.Count)
        {
            return false;
        }

        Reference = series.Items[next++];
        Input.Block.Index.ReadSeries(Reference, Entry);
        return true;
    }

    /// <summary>The times of the series at hand whose samples are deleted, ascending or not.</summary>
    public void AddDeleted(List<TimeRange> into)
    {
        foreach (var range in Input.Block.Tombstones.Of(Reference))
        {
            into.Add(range);
        }

        if (Input.Deletions.Count == 0)
        {
            return;
        }

        var labels = Labels.FromEncoded(Entry.CanonicalLabels);
        foreach (var deletion in Input.Deletions)
        {
            if (Matcher.AllMatch(deletion.Matchers, labels))
            {
                into.Add(deletion.Range);
            }
        }
    }

    /// <summary>Gives the buffers back, and lets go of the block.</summary>
    public void Dispose()
    {
        series.Dispose();
        held.Dispose();
    }
}
