using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Checks an index file: sections, order, and that postings and series say the same. Not thread-safe.</summary>
internal sealed class IndexVerifier(IBlockFile file, DefectList defects) : IDisposable
{
    private const int SeriesBetweenCancellationChecks = 1024;

    private readonly PairDigests pairs = new();
    private readonly PostingsBuffer all = new();

    /// <summary>The references of all series, ascending; null when they could not be found out.</summary>
    public uint[]? Series { get; private set; }

    /// <summary>Checks everything; the file stays the caller's.</summary>
    public void Verify(ChunkVerifier chunks, CancellationToken cancellation)
    {
        IndexToc toc;
        IndexReader index;
        SymbolReader symbols;
        try
        {
            toc = IndexToc.Read(file);
            CheckToc(toc);
            CheckLabelTable(toc);
            symbols = new SymbolReader(file, toc.Symbols);
            index = new IndexReader(new Borrowed(file));
        }
        catch (InvalidDataException e)
        {
            defects.Add(e, file.Name);
            return;
        }

        using (index)
        {
            if (ReadAllList(index))
            {
                var whole = CheckSeries(toc, index, chunks, cancellation);
                new PostingsVerifier(file, index, toc, symbols, defects).Verify(whole ? pairs : null, all.Items, cancellation);
                Series = all.Items.ToArray();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => all.Dispose();

    private void CheckToc(IndexToc toc)
    {
        (string Name, long Offset)[] order =
        [
            ("symbols", toc.Symbols), ("series", toc.Series), ("end of series", toc.LabelIndices),
            ("postings", toc.Postings), ("label offsets", toc.LabelTable), ("postings offsets", toc.PostingsTable),
        ];
        long last = IndexFormat.HeaderBytes;
        foreach (var (name, offset) in order)
        {
            if (offset < last || offset > file.Length - IndexFormat.TocBytes)
            {
                BlockDamage.Throw(file.Name, file.Length - IndexFormat.TocBytes, $"the table of contents puts the {name} at {offset}, want {last} to {file.Length - IndexFormat.TocBytes}");
            }

            last = offset;
        }

        CheckEnd(IndexFormat.HeaderBytes, toc.Symbols, "the head");
        CheckPadding(SectionEnd(toc.Symbols, "the symbol table"), toc.Series);
        CheckEnd(SectionEnd(toc.PostingsTable, "the postings offset table"), file.Length - IndexFormat.TocBytes, "the postings offset table");
    }

    private long SectionEnd(long at, string what) => at + 8 + IndexSections.Read(file, at, what).Length;

    private void CheckEnd(long end, long next, string what)
    {
        if (end != next)
        {
            defects.Add(file.Name, Math.Min(end, next), $"{what} ends at {end}, but the next section starts at {next}");
        }
    }

    // Nobody reads the label indices any more; that they are whole is all that can be asked of them.
    private void CheckLabelTable(IndexToc toc)
    {
        var at = (toc.LabelIndices + 3) & ~3L;
        while (at + 8 <= toc.Postings)
        {
            at = (SectionEnd(at, "a label index") + 3) & ~3L;
        }

        if (toc.LabelTable < toc.PostingsTable)
        {
            CheckEnd(SectionEnd(toc.LabelTable, "the label offset table"), toc.PostingsTable, "the label offset table");
        }
    }

    private bool ReadAllList(IndexReader index)
    {
        try
        {
            index.AddAll(all);
            return true;
        }
        catch (InvalidDataException e)
        {
            defects.Add(e, file.Name);
            return false;
        }
    }

    // True when every series could be read.
    private bool CheckSeries(IndexToc toc, IndexReader index, ChunkVerifier chunks, CancellationToken cancellation)
    {
        var whole = true;
        var entry = new SeriesEntry();
        byte[] last = [];
        var end = toc.Series;
        for (var i = 0; i < all.Count && !defects.IsFull; i++)
        {
            if (i % SeriesBetweenCancellationChecks == 0)
            {
                cancellation.ThrowIfCancellationRequested();
            }

            var reference = all.Items[i];
            var at = (long)reference * IndexFormat.SeriesAlignment;
            CheckPadding(end, at);
            try
            {
                var body = IndexSections.ReadSeries(file, reference, out var bodyAt);
                end = bodyAt + body.Length + 4;
                pairs.Add(body, reference);
                index.ReadSeries(reference, entry);
            }
            catch (InvalidDataException e)
            {
                defects.Add(e, file.Name);
                whole = false;
                end = i + 1 < all.Count ? (long)all.Items[i + 1] * IndexFormat.SeriesAlignment : toc.LabelIndices;
                continue;
            }

            if (i > 0 && Labels.Compare(last, entry.CanonicalLabels) >= 0)
            {
                defects.Add(file.Name, at, "a series does not follow the one before it in the order of labels");
            }

            last = entry.CanonicalLabels.ToArray();
            chunks.CheckSeries(entry.Chunks, file.Name, at);
        }

        if (!defects.IsFull)
        {
            CheckPadding(end, toc.LabelIndices);
        }

        return whole && !defects.IsFull;
    }

    private void CheckPadding(long end, long next)
    {
        if (next < end || next - end >= IndexFormat.SeriesAlignment)
        {
            defects.Add(file.Name, Math.Min(end, next), $"the next series should start right after {end}, but starts at {next}");
            return;
        }

        if (file.Range(end, (int)(next - end)).ContainsAnyExcept((byte)0))
        {
            defects.Add(file.Name, end, "the bytes before a series are not zero");
        }
    }

    // The reader owns its file; the verifier's caller keeps this one.
    private sealed class Borrowed(IBlockFile file) : IBlockFile
    {
        public string Name => file.Name;

        public long Length => file.Length;

        public ReadOnlySpan<byte> Range(long offset, int length) => file.Range(offset, length);

        public void Dispose()
        {
        }
    }
}
