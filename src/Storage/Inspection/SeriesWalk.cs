using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Walks the series of several blocks as one data set, in the order of labels, deletions carried out. Not thread-safe.</summary>
/// <remarks>
/// Memory: 4 bytes a series of each block, and the samples of one series. Where blocks have a sample at one instant, that of the block given later stays.
/// Damage raises <see cref="InvalidDataException"/> with file, offset and reason.
/// </remarks>
public sealed class SeriesWalk : IDisposable
{
    private readonly List<Cursor> cursors = [];
    private readonly PriorityQueue<Cursor, Cursor> queue = new(Comparer<Cursor>.Create(Cursor.Compare));
    private readonly TimeRange range;
    private readonly SampleBuffer next = new();
    private SampleBuffer samples = new();
    private SampleBuffer spare = new();

    /// <summary>Begins a walk.</summary>
    /// <param name="blocks">The blocks, which must stay open until the walk is disposed.</param>
    /// <param name="selections">Which series: those for which all matchers of at least one list hold; no list means all.</param>
    /// <param name="range">Which samples.</param>
    public SeriesWalk(IReadOnlyList<BlockReader> blocks, IReadOnlyList<IReadOnlyList<Matcher>> selections, TimeRange range)
    {
        this.range = range;
        try
        {
            foreach (var block in blocks)
            {
                if (block.Range.Overlaps(range))
                {
                    cursors.Add(new Cursor(block, cursors.Count, selections));
                }
            }

            cursors.ForEach(Advance);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The labels of the series at hand.</summary>
    public Labels Labels { get; private set; } = Labels.Empty;

    /// <summary>Its samples; valid until the next step.</summary>
    public SampleBuffer Samples => samples;

    /// <summary>Steps to the next series that has samples; false at the end.</summary>
    public bool MoveNext()
    {
        while (queue.TryDequeue(out var cursor, out _))
        {
            samples.Clear();
            Labels = Labels.FromEncoded(cursor.Entry.CanonicalLabels);
            Take(cursor);
            while (queue.TryPeek(out var other, out _) && other.Entry.CanonicalLabels.SequenceEqual(Labels.Encoded))
            {
                queue.Dequeue();
                Take(other);
            }

            if (samples.Count > 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        cursors.ForEach(c => c.Dispose());
        samples.Dispose();
        spare.Dispose();
        next.Dispose();
    }

    /// <summary>The references, ascending, of the series for which all matchers of at least one list hold; no list means all.</summary>
    internal static PostingsBuffer Select(IPostingsSource index, IReadOnlyList<IReadOnlyList<Matcher>> selections)
    {
        var found = new PostingsBuffer();
        try
        {
            if (selections.Count == 0)
            {
                index.AddAll(found);
            }

            foreach (var matchers in selections)
            {
                PostingsSelection.Select(index, matchers, found);
            }

            if (selections.Count > 1)
            {
                found.Writable.Sort();
                found.Truncate(Distinct(found.Writable));
            }

            return found;
        }
        catch
        {
            found.Dispose();
            throw;
        }
    }

    /// <summary>Appends a sample of one buffer to another.</summary>
    internal static void Copy(SampleBuffer from, int at, SampleBuffer into)
    {
        if (from.HasHistograms && from.Histograms[at] is { } histogram)
        {
            into.Add(from.Times[at], histogram);
        }
        else
        {
            into.Add(from.Times[at], from.Values[at]);
        }

        if (!from.StartTimes.IsEmpty && from.StartTimes[at] != 0)
        {
            into.SetStartTime(from.StartTimes[at]);
        }
    }

    private static int Distinct(Span<uint> ascending)
    {
        var kept = 0;
        foreach (var item in ascending)
        {
            if (kept == 0 || ascending[kept - 1] != item)
            {
                ascending[kept++] = item;
            }
        }

        return kept;
    }

    private void Advance(Cursor cursor)
    {
        if (cursor.MoveNext())
        {
            queue.Enqueue(cursor, cursor);
        }
    }

    private void Take(Cursor cursor)
    {
        foreach (var chunk in cursor.Entry.Chunks)
        {
            var time = new TimeRange(chunk.MinMs, chunk.MaxMs);
            if (time.Overlaps(range) && !cursor.Block.Tombstones.Covers(cursor.Reference, time))
            {
                next.Clear();
                cursor.Block.Decode(chunk, range, next);
                Add(cursor.Block.Tombstones.Of(cursor.Reference));
            }
        }

        Advance(cursor);
    }

    // Fast path: what comes next follows what is there.
    private void Add(ReadOnlySpan<TimeRange> deleted)
    {
        if (deleted.IsEmpty && (samples.Count == 0 || next.Count == 0 || next.Times[0] > samples.Times[^1]))
        {
            for (var i = 0; i < next.Count; i++)
            {
                Copy(next, i, samples);
            }

            return;
        }

        spare.Clear();
        int l = 0, r = 0, d = 0;
        while (l < samples.Count || r < next.Count)
        {
            if (r == next.Count || (l < samples.Count && samples.Times[l] < next.Times[r]))
            {
                Copy(samples, l++, spare);
                continue;
            }

            var time = next.Times[r];
            while (d < deleted.Length && deleted[d].MaxMs < time)
            {
                d++;
            }

            if (d == deleted.Length || !deleted[d].Contains(time))
            {
                l += l < samples.Count && samples.Times[l] == time ? 1 : 0;
                Copy(next, r, spare);
            }

            r++;
        }

        (samples, spare) = (spare, samples);
    }

    // The series of one block, in order.
    private sealed class Cursor : IDisposable
    {
        private readonly PostingsBuffer references;
        private readonly IDisposable held;
        private readonly int position;
        private int at;

        public Cursor(BlockReader block, int position, IReadOnlyList<IReadOnlyList<Matcher>> selections)
        {
            Block = block;
            this.position = position;
            held = block.Hold();
            try
            {
                references = Select(block.Index, selections);
            }
            catch
            {
                held.Dispose();
                throw;
            }
        }

        public BlockReader Block { get; }

        public SeriesEntry Entry { get; } = new();

        public uint Reference { get; private set; }

        public static int Compare(Cursor? left, Cursor? right)
        {
            var order = Labels.Compare(left!.Entry.CanonicalLabels, right!.Entry.CanonicalLabels);
            return order != 0 ? order : left.position.CompareTo(right.position);
        }

        public bool MoveNext()
        {
            if (at == references.Count)
            {
                return false;
            }

            Reference = references.Items[at++];
            Block.Index.ReadSeries(Reference, Entry);
            return true;
        }

        public void Dispose()
        {
            references.Dispose();
            held.Dispose();
        }
    }
}
