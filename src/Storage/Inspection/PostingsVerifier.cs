using System.Runtime.InteropServices;
using System.Text;

namespace Metrics.Storage;

/// <summary>Checks the postings lists of an index against its series.</summary>
internal sealed class PostingsVerifier(IBlockFile file, IndexReader index, IndexToc toc, SymbolReader symbols, DefectList defects)
{
    private readonly List<(long Start, long End)> lists = [];

    /// <summary>Walks the postings offset table, which was opened without complaint before.</summary>
    /// <param name="pairs">What the series say; null when they could not all be read.</param>
    /// <param name="all">The references of all series.</param>
    /// <param name="cancellation">Stops the walk.</param>
    public void Verify(PairDigests? pairs, ReadOnlySpan<uint> all, CancellationToken cancellation)
    {
        var body = IndexSections.Read(file, toc.PostingsTable, "the postings offset table");
        var reader = new SpanReader(body, file.Name, toc.PostingsTable + 4);
        using var items = new PostingsBuffer();
        var matched = 0;
        for (var left = reader.UInt32(); left > 0 && !defects.IsFull; left--)
        {
            cancellation.ThrowIfCancellationRequested();
            var at = reader.Offset;
            reader.Byte();
            var name = reader.Text();
            var value = reader.Text();
            var list = (long)reader.UVarint();
            items.Clear();
            if (!TryRead(list, items))
            {
                continue;
            }

            if (name.IsEmpty)
            {
                continue;
            }

            matched++;
            if (pairs is not null && !Agrees(pairs, name, value, items.Items))
            {
                defects.Add(file.Name, at, $"the postings of {Encoding.UTF8.GetString(name)}=\"{Encoding.UTF8.GetString(value)}\" are not the series that carry it");
            }
        }

        if (!reader.AtEnd && !defects.IsFull)
        {
            defects.Add(file.Name, reader.Offset, $"{reader.Remaining} bytes follow the last entry of the postings offset table");
        }

        if (pairs is not null && matched != pairs.Count && !defects.IsFull)
        {
            defects.Add(file.Name, toc.PostingsTable, $"the postings offset table has {matched} label pairs, but the {all.Length} series carry {pairs.Count}");
        }

        CheckCoverage();
    }

    private bool TryRead(long list, PostingsBuffer into)
    {
        try
        {
            if (list < toc.Postings || list >= toc.LabelTable)
            {
                BlockDamage.Throw(file.Name, list, $"a postings list would start outside {toc.Postings} to {toc.LabelTable}");
            }

            index.AddList(list, into);
            lists.Add((list, list + 12 + (4L * into.Count)));
            return true;
        }
        catch (InvalidDataException e)
        {
            defects.Add(e, file.Name);
            return false;
        }
    }

    private bool Agrees(PairDigests pairs, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ReadOnlySpan<uint> list)
    {
        var nameSymbol = Find(name);
        var valueSymbol = Find(value);
        return nameSymbol >= 0 && valueSymbol >= 0 && pairs.Matches(nameSymbol, valueSymbol, list);
    }

    private int Find(ReadOnlySpan<byte> text)
    {
        int low = 0, high = symbols.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = symbols[middle].SequenceCompareTo(text);
            if (order == 0)
            {
                return middle;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return -1;
    }

    // The lists stand one after another, each at a multiple of 4, and two pairs never share one.
    private void CheckCoverage()
    {
        if (defects.Found.Count > 0)
        {
            return;
        }

        var ordered = CollectionsMarshal.AsSpan(lists);
        ordered.Sort();
        var end = toc.Postings;
        foreach (var (start, listEnd) in ordered)
        {
            CheckGap(end, start);
            end = listEnd;
        }

        CheckGap(end, toc.LabelTable);
    }

    private void CheckGap(long end, long next)
    {
        if (next < end || next - end >= 4)
        {
            defects.Add(file.Name, Math.Min(end, next), $"the next postings list should start right after {end}, but starts at {next}");
        }
        else if (file.Range(end, (int)(next - end)).ContainsAnyExcept((byte)0))
        {
            defects.Add(file.Name, end, "the bytes between two postings lists are not zero");
        }
    }
}
