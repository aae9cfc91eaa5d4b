using System.Text;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The labels of those series of a block whose hash lies in a range: each series is looked at, where a whole block's labels are read off its lists.</summary>
public static class BlockLabels
{
    /// <summary>Adds the names of labels of matching series.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public static void AddNames(BlockReader block, IReadOnlyList<Matcher> matchers, HashRange within, ISet<string> into)
    {
        var names = new SymbolInterner();
        Visit(block, matchers, within, canonical =>
        {
            foreach (var label in new LabelEnumerator(canonical))
            {
                names.Intern(label.Name);
            }
        });
        into.UnionWith(names.Sorted().Select(n => Encoding.UTF8.GetString(names[n])));
    }

    /// <summary>Adds the values of a label of matching series.</summary>
    /// <exception cref="InvalidDataException">The block is damaged.</exception>
    public static void AddValues(BlockReader block, string name, IReadOnlyList<Matcher> matchers, HashRange within, ISet<string> into)
    {
        var wanted = Encoding.UTF8.GetBytes(name);
        var values = new SymbolInterner();
        Visit(block, matchers, within, canonical =>
        {
            foreach (var label in new LabelEnumerator(canonical))
            {
                if (label.Name.SequenceEqual(wanted))
                {
                    values.Intern(label.Value);
                }
            }
        });
        into.UnionWith(values.Sorted().Select(n => Encoding.UTF8.GetString(values[n])));
    }

    private static void Visit(BlockReader block, IReadOnlyList<Matcher> matchers, HashRange within, LabelsVisitor visit)
    {
        using var held = block.Hold();
        using var postings = new PostingsBuffer();
        PostingsSelection.Select(block.Index, matchers, postings);
        var entry = new SeriesEntry();
        block.Index.PrefetchSeries(postings.Items, ReadCancellation.Current);
        foreach (var series in postings.Items)
        {
            block.Index.ReadSeries(series, entry);
            if (within.Contains(SeriesHash.Of(entry.CanonicalLabels)))
            {
                visit(entry.CanonicalLabels);
            }
        }
    }
}

/// <summary>Is shown the labels of a series in canonical form, which last for the call.</summary>
public delegate void LabelsVisitor(ReadOnlySpan<byte> canonical);
