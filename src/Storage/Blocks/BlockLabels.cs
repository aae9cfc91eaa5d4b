using System.Text;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Names and values of labels in a block, while the caller holds a reference to it. Those of all its series are read off its lists; for a part of them each series is looked at.</summary>
internal static class BlockLabels
{
    /// <summary>The names of labels of matching series whose hash lies in a range, ascending by bytes.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public static IReadOnlyList<string> Names(BlockReader block, IReadOnlyList<Matcher> matchers, HashRange within)
    {
        if (matchers.Count == 0 && within.Bits == 0)
        {
            return [.. block.Index.LabelNames.Select(Encoding.UTF8.GetString)];
        }

        var names = new SymbolInterner();
        using var series = new MatchingSeries(block, matchers, within, ReadCancellation.Current);
        while (series.MoveNext())
        {
            foreach (var label in new LabelEnumerator(series.Entry.CanonicalLabels))
            {
                names.Intern(label.Name);
            }
        }

        return Sorted(names);
    }

    /// <summary>The values of a label of matching series whose hash lies in a range, ascending by bytes.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public static IReadOnlyList<string> Values(BlockReader block, string name, IReadOnlyList<Matcher> matchers, HashRange within)
    {
        var wanted = Encoding.UTF8.GetBytes(name);
        if (within.Bits == 0)
        {
            using var collector = new ValueCollector(block.Index, matchers);
            block.Index.VisitValues(wanted, collector);
            return collector.Values;
        }

        var values = new SymbolInterner();
        using var series = new MatchingSeries(block, matchers, within, ReadCancellation.Current);
        while (series.MoveNext())
        {
            foreach (var label in new LabelEnumerator(series.Entry.CanonicalLabels))
            {
                if (label.Name.SequenceEqual(wanted))
                {
                    values.Intern(label.Value);
                }
            }
        }

        return Sorted(values);
    }

    private static List<string> Sorted(SymbolInterner texts) => [.. texts.Sorted().Select(n => Encoding.UTF8.GetString(texts[n]))];

    // Without matchers every value counts; with them, one whose list shares a series with the selection.
    private sealed class ValueCollector : ILabelValueVisitor, IDisposable
    {
        private readonly IndexReader index;
        private readonly PostingsBuffer list = new();
        private readonly PostingsBuffer? selected;

        public ValueCollector(IndexReader index, IReadOnlyList<Matcher> matchers)
        {
            this.index = index;
            if (matchers.Count > 0)
            {
                selected = new PostingsBuffer();
                PostingsSelection.Select(index, matchers, selected);
            }
        }

        public List<string> Values { get; } = [];

        public bool Visit(ReadOnlySpan<byte> value, long listHandle)
        {
            if (selected is not null)
            {
                list.Clear();
                index.AddList(listHandle, list);
                if (PostingsSets.Intersect(list.Writable, selected.Items) == 0)
                {
                    return true;
                }
            }

            Values.Add(Encoding.UTF8.GetString(value));
            return true;
        }

        public void Dispose()
        {
            list.Dispose();
            selected?.Dispose();
        }
    }
}
