using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Several series sets of one shard, its blocks and its head, as one: a series is known by its labels, and has one sample for each instant.</summary>
/// <remarks>Where two sets have a sample at one instant, that of the set given first stays; in a shard both are the same sample.</remarks>
internal sealed class MergedSeriesSet : ISeriesSet
{
    private readonly ISeriesSet[] sets;
    private readonly PooledList<Part> parts;
    private readonly PooledList<int> firstParts;

    private MergedSeriesSet(ISeriesSet[] sets)
    {
        this.sets = sets;
        var most = sets.Sum(static s => s.Count);
        parts = new PooledList<Part>(most);
        firstParts = new PooledList<int>(most);
    }

    /// <inheritdoc/>
    public int Count => firstParts.Count;

    /// <summary>Merges sets, which the result owns from now on, also when this fails. They should be ordered by time: then reading is concatenation.</summary>
    public static ISeriesSet Of(IReadOnlyList<ISeriesSet> sets, CancellationToken cancellation)
    {
        // Fast path: most queries touch the head alone, or one block.
        ISeriesSet? only = null;
        var filled = 0;
        foreach (var set in sets)
        {
            if (set.Count > 0)
            {
                only = set;
                filled++;
            }
        }

        if (filled == 1)
        {
            foreach (var set in sets)
            {
                if (!ReferenceEquals(set, only))
                {
                    set.Dispose();
                }
            }

            return only!;
        }

        var merged = new MergedSeriesSet([.. sets]);
        try
        {
            merged.Index(cancellation);
            return merged;
        }
        catch
        {
            merged.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public Labels LabelsOf(int index)
    {
        var part = parts[firstParts[index]];
        return sets[part.Set].LabelsOf(part.Series);
    }

    /// <inheritdoc/>
    public ulong HashOf(int index) => parts[firstParts[index]].Hash;

    /// <inheritdoc/>
    public ReadOnlySpan<byte> LabelBytesOf(int index, ref byte[] scratch) => LabelBytesOf(parts[firstParts[index]], ref scratch);

    /// <inheritdoc/>
    public IReadOnlyList<Labels> Group(LabelSubset subset, Span<int> groupOf)
    {
        // Each set by its own means, then their groups as one.
        using var groups = new LabelSetIndex();
        using var own = new PooledList<int>();
        var firstOf = new int[sets.Length];
        var numbers = new int[sets.Length][];
        for (var set = 0; set < sets.Length; set++)
        {
            firstOf[set] = own.Count;
            var found = sets[set].Group(subset, own.Extend(sets[set].Count));
            numbers[set] = new int[found.Count];
            for (var i = 0; i < found.Count; i++)
            {
                numbers[set][i] = groups.Add(found[i].Encoded);
            }
        }

        for (var i = 0; i < Count; i++)
        {
            var part = parts[firstParts[i]];
            groupOf[i] = numbers[part.Set][own[firstOf[part.Set] + part.Series]];
        }

        return groups.ToLabels();
    }

    /// <inheritdoc/>
    public void Read(int index, SampleBuffer into)
    {
        var start = into.Count;
        into.RawCounterAtEnd = null;
        for (var at = firstParts[index]; at >= 0; at = parts[at].Next)
        {
            var middle = into.Count;
            var rawBefore = into.RawCounterAtEnd;
            into.RawCounterAtEnd = null;
            sets[parts[at].Set].Read(parts[at].Series, into);
            if (middle > start && into.Count > middle && into.Times[middle] <= into.Times[middle - 1])
            {
                Interleave(into, start, middle);
                into.RawCounterAtEnd = null;
            }
            else if (rawBefore is { } raw && middle > start)
            {
                ContinueCounter(into, middle, raw);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        parts.Dispose();
        firstParts.Dispose();
        foreach (var set in sets)
        {
            set.Dispose();
        }
    }

    /// <summary>Finds the parts of each series, by hash and then by labels, without making these.</summary>
    private void Index(CancellationToken cancellation)
    {
        var most = sets.Sum(static s => s.Count);
        using var numbers = new HashNumbers(most);
        using var lastParts = new PooledList<int>(most);
        byte[] left = [];
        byte[] right = [];
        for (var set = 0; set < sets.Length; set++)
        {
            cancellation.ThrowIfCancellationRequested();
            for (var series = 0; series < sets[set].Count; series++)
            {
                var part = new Part { Set = set, Series = series, Next = -1, Hash = sets[set].HashOf(series) };
                var found = numbers.Find(part.Hash);
                int number;
                while (found.Next(out number))
                {
                    if (LabelBytesOf(parts[firstParts[number]], ref left).SequenceEqual(LabelBytesOf(part, ref right)))
                    {
                        break;
                    }
                }

                if (number < 0)
                {
                    numbers.Add(found);
                    firstParts.Add(parts.Count);
                    lastParts.Add(parts.Count);
                }
                else
                {
                    parts[lastParts[number]].Next = parts.Count;
                    lastParts[number] = parts.Count;
                }

                parts.Add(part);
            }
        }
    }

    private ReadOnlySpan<byte> LabelBytesOf(Part part, ref byte[] scratch) => sets[part.Set].LabelBytesOf(part.Series, ref scratch);

    // Samples from start to middle and from middle on, each ascending, become one ascending run.
    private static void Interleave(SampleBuffer into, int start, int middle)
    {
        using var left = new SampleBuffer(middle - start);
        using var right = new SampleBuffer(into.Count - middle);
        for (var i = start; i < into.Count; i++)
        {
            (i < middle ? left : right).AddFrom(into, i);
        }

        into.Truncate(start);
        SampleBuffer.Merge(left, right, into);
    }

    /// <summary>Lifts the samples from one on, up to the first reset among them, so that they go on from the counter before, whose own resets were added up: its fall back to the raw value is none.</summary>
    private static void ContinueCounter(SampleBuffer into, int from, double rawBefore)
    {
        var lifted = into.Values[from - 1];
        var last = rawBefore;
        for (var i = from; i < into.Count; i++)
        {
            var value = into.Values[i];
            if ((into.HasHistograms && into.Histograms[i] is not null) || value < last)
            {
                return; // From here on the counter is its own again.
            }

            // A NaN stays, bit for bit: it may be a stale marker.
            if (!double.IsNaN(value))
            {
                into.Replace(i, lifted + (value - rawBefore));
                last = value;
            }
        }

        into.RawCounterAtEnd ??= last;
    }

    private struct Part
    {
        public int Set;
        public int Series;
        public int Next;
        public ulong Hash;
    }
}
