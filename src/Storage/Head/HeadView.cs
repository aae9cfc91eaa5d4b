using System.Text;
using Metrics.Model;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage;

/// <summary>A consistent view of a head for reading. Close it soon: what the head drops meanwhile stays in memory.</summary>
public sealed class HeadView : IDisposable
{
    private readonly long epoch;
    private int closed;

    internal HeadView(Head head, long epoch)
    {
        Head = head;
        this.epoch = epoch;
    }

    internal Head Head { get; }

    /// <summary>The series that satisfy all matchers and have a chunk in the range, as they are now. The set closes this view when it is disposed.</summary>
    public ISeriesSet Select(IReadOnlyList<Matcher> matchers, TimeRange range) => new HeadSeriesSet(this, Snapshots(matchers, range), range);

    /// <summary>The label names of those series, ascending by UTF-8 bytes; of all series when there is no matcher.</summary>
    public IReadOnlyList<string> LabelNames(IReadOnlyList<Matcher> matchers, TimeRange range)
    {
        if (matchers.Count == 0)
        {
            return Texts(Head.Postings.NameSymbols().ToArray());
        }

        var names = new HashSet<uint>();
        using var found = Snapshots(matchers, range);
        foreach (ref readonly var series in found.Items)
        {
            foreach (var symbol in Head.SymbolsOf(series.Reference).Names)
            {
                names.Add(symbol);
            }
        }

        return Texts(names);
    }

    /// <summary>The values of one label on those series, ascending by UTF-8 bytes.</summary>
    public IReadOnlyList<string> LabelValues(string name, IReadOnlyList<Matcher> matchers, TimeRange range)
    {
        var nameSymbol = Head.Symbols.Find(Encoding.UTF8.GetBytes(name));
        if (nameSymbol == SymbolTable.None)
        {
            return [];
        }

        var present = new Matcher(MatchType.NotEqual, name, "");
        var values = new HashSet<uint>();
        using var found = Snapshots([.. matchers, present], range);
        foreach (ref readonly var series in found.Items)
        {
            var symbols = Head.SymbolsOf(series.Reference);
            if (symbols.Names.IndexOf(nameSymbol) is >= 0 and var at)
            {
                values.Add(symbols.Values[at]);
            }
        }

        return Texts(values);
    }

    /// <summary>The labels of a series, or null when it is not known any more.</summary>
    public Labels? FindLabels(uint reference) => Head.IsKnown(reference) ? Head.LabelsOf(reference) : null;

    /// <summary>Shows every known series, whether it holds samples or not, in order of references.</summary>
    public void VisitSeries(Action<uint, Labels> visit)
    {
        using var all = new PostingsBuffer();
        Head.Postings.AddAll(all);
        foreach (var reference in all.Items)
        {
            visit(reference, Head.LabelsOf(reference));
        }
    }

    /// <summary>Shows every label pair and how many series carry it, series without samples included.</summary>
    public void VisitPairs(LabelPairVisitor visit)
    {
        var values = new PairCounts(Head.Postings, visit);
        foreach (var name in Head.Postings.NameSymbols())
        {
            values.Name = Head.Symbols[name].ToArray();
            Head.Postings.VisitValues(values.Name, values);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref closed, 1) == 0)
        {
            Head.Close(epoch);
        }
    }

    /// <summary>The series as they are now; the caller disposes the list.</summary>
    internal PooledList<SeriesSnapshot> Snapshots(IReadOnlyList<Matcher> matchers, TimeRange range)
    {
        using var postings = new PostingsBuffer();
        if (matchers.Count == 0)
        {
            Head.Postings.AddAll(postings);
        }
        else
        {
            PostingsSelection.Select(Head.Postings, matchers, postings);
        }

        var found = new PooledList<SeriesSnapshot>(postings.Count);
        foreach (var reference in postings.Items)
        {
            var snapshot = Head.Snapshot(reference);
            if (!snapshot.IsEmpty && Overlaps(Head, snapshot, range))
            {
                found.Add(snapshot);
            }
        }

        return found;
    }

    private static bool Overlaps(Head head, in SeriesSnapshot series, TimeRange range)
    {
        // The open chunk has no published end, so it counts as reaching to the end of time.
        if (series.HasOutOfOrder || (series.OpenCount > 0 && series.OpenMinMs <= range.MaxMs))
        {
            return true;
        }

        return series.SealedCount > 0 && series.SealedMinMs <= range.MaxMs && head.ChunkOf(series.Sealed).MaxMs >= range.MinMs;
    }

    private List<string> Texts(IEnumerable<uint> symbols)
    {
        var ordered = symbols.ToList();
        ordered.Sort((a, b) => Head.Symbols[a].SequenceCompareTo(Head.Symbols[b]));
        return ordered.ConvertAll(s => Encoding.UTF8.GetString(Head.Symbols[s]));
    }

    private sealed class PairCounts(HeadPostings postings, LabelPairVisitor visit) : ILabelValueVisitor
    {
        public byte[] Name { get; set; } = [];

        public bool Visit(ReadOnlySpan<byte> value, long list)
        {
            visit(Name, value, list < 0 ? 0 : postings.CountOf(list));
            return true;
        }
    }
}

/// <summary>Is shown a label pair, as UTF-8 that lasts for the call, and how many series carry it.</summary>
public delegate void LabelPairVisitor(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, int series);
