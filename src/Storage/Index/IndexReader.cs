using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>Reads an index file of version 2.</summary>
/// <remarks>
/// Opening verifies head, symbols, postings offset table and table of contents; a series or a postings list is verified each time it is read. So damage
/// raises <see cref="InvalidDataException"/> naming file and offset, and never gives wrong data. Thread-safe.
/// </remarks>
public sealed class IndexReader : IPostingsSource, IDisposable
{
    /// <summary>What a series entry is taken to have: labels are numbers of symbols, and a day of chunks takes a few hundred bytes.</summary>
    private const int UsualEntryBytes = 512;

    /// <summary>The most that is fetched ahead of reading; the rest is fetched when it is read.</summary>
    private const long MostAhead = 256L * 1024 * 1024;

    private readonly IBlockFile file;
    private readonly SymbolReader symbols;
    private readonly PostingsTable table;
    private readonly IndexToc toc;

    /// <summary>Opens an index and owns the file from then on, also when opening fails.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public IndexReader(IBlockFile file)
    {
        this.file = file;
        try
        {
            toc = IndexToc.Read(file);
            symbols = new SymbolReader(file, toc.Symbols);
            table = new PostingsTable(file, toc.PostingsTable);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The number of distinct label names and values.</summary>
    public int SymbolCount => symbols.Count;

    /// <summary>The size of the file.</summary>
    public long Length => file.Length;

    /// <summary>The names of all labels, ascending by bytes.</summary>
    public IEnumerable<byte[]> LabelNames => table.Names;

    /// <inheritdoc/>
    public void AddAll(PostingsBuffer into)
    {
        if (table.AllList != 0)
        {
            AddList(table.AllList, into);
        }
    }

    /// <inheritdoc/>
    public bool TryFindList(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, out long list) => table.TryFind(name, value, out list);

    /// <inheritdoc/>
    public void VisitValues(ReadOnlySpan<byte> name, ILabelValueVisitor visitor) => table.VisitValues(name, visitor);

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The list is damaged.</exception>
    public void AddList(long list, PostingsBuffer into)
    {
        var body = IndexSections.Read(file, list, "a postings list");
        if (body.Length < 4 || BinaryPrimitives.ReadUInt32BigEndian(body) != (uint)((body.Length - 4) / 4) || body.Length % 4 != 0)
        {
            BlockDamage.Throw(file.Name, list, $"a postings list of {body.Length} bytes has a wrong count");
        }

        var entries = MemoryMarshal.Cast<byte, uint>(body[4..]);
        var to = into.Extend(entries.Length);
        if (BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(entries, to);
        }
        else
        {
            entries.CopyTo(to);
        }

        for (var i = 1; i < to.Length; i++)
        {
            if (to[i] <= to[i - 1])
            {
                BlockDamage.Throw(file.Name, list, $"entry {i} of a postings list does not ascend");
            }
        }
    }

    /// <summary>Reads a series by its reference.</summary>
    /// <exception cref="InvalidDataException">The entry is damaged.</exception>
    public void ReadSeries(uint reference, SeriesEntry into)
    {
        into.Clear();
        var body = IndexSections.ReadSeries(file, reference, out var offset);
        var reader = new SpanReader(body, file.Name, offset);
        var lastName = -1;
        for (var left = reader.Count(2); left > 0; left--)
        {
            var at = reader.Offset;
            var name = SymbolNumber(ref reader);
            var value = symbols[SymbolNumber(ref reader)];
            if (name <= lastName || value.IsEmpty)
            {
                BlockDamage.Throw(file.Name, at, "the labels of a series are not sorted, or one has no value");
            }

            into.AddText(symbols[name]);
            into.AddText(value);
            lastName = name;
        }

        ReadChunks(ref reader, into);
        if (!reader.AtEnd)
        {
            BlockDamage.Throw(file.Name, reader.Offset, $"{reader.Remaining} bytes follow the chunks of a series");
        }
    }

    /// <inheritdoc/>
    public bool IsRemote => file.IsRemote;

    /// <inheritdoc/>
    /// <remarks>Two rounds: where the lists begin, which tells their lengths and holds most of them whole, and the rest of those that are long.</remarks>
    public void PrefetchLists(ReadOnlySpan<long> lists)
    {
        if (!IsRemote || lists.IsEmpty)
        {
            return;
        }

        var ascending = lists.ToArray();
        Array.Sort(ascending);
        var heads = new FileRanges();
        foreach (var list in ascending)
        {
            if (list >= IndexFormat.HeaderBytes && list <= file.Length - 8)
            {
                heads.Add(list, 8);
            }
        }

        file.Prefetch(heads.Items, ReadCancellation.Current);
        var bodies = new FileRanges();
        foreach (var list in ascending)
        {
            if (list < IndexFormat.HeaderBytes || list > file.Length - 8 || bodies.Bytes >= MostAhead)
            {
                continue;
            }

            // A damaged length is for the reading to tell.
            var length = BinaryPrimitives.ReadUInt32BigEndian(file.Range(list, 4));
            if (length <= file.Length - list - 8)
            {
                bodies.Add(list, 8L + length);
            }
        }

        file.Prefetch(bodies.Items, ReadCancellation.Current);
    }

    /// <summary>Fetches series entries that will be read, when the file is far away.</summary>
    internal void PrefetchSeries(ReadOnlySpan<uint> references, CancellationToken cancellation)
    {
        if (!file.IsRemote || references.IsEmpty)
        {
            return;
        }

        var ranges = new FileRanges();
        foreach (var reference in references)
        {
            if (ranges.Bytes >= MostAhead)
            {
                break;
            }

            ranges.Add((long)reference * IndexFormat.SeriesAlignment, UsualEntryBytes);
        }

        file.Prefetch(ranges.Items, cancellation);
    }

    /// <summary>Gives the file back.</summary>
    public void Dispose() => file.Dispose();

    private int SymbolNumber(ref SpanReader reader)
    {
        var at = reader.Offset;
        var number = reader.UVarint();
        if (number >= (ulong)symbols.Count)
        {
            BlockDamage.Throw(file.Name, at, $"symbol {number} of {symbols.Count} is asked for");
        }

        return (int)number;
    }

    private void ReadChunks(ref SpanReader reader, SeriesEntry into)
    {
        var count = reader.Count(3);
        ulong reference = 0;
        long time = 0;
        for (var i = 0; i < count; i++)
        {
            var at = reader.Offset;
            var min = i == 0 ? reader.SVarint() : unchecked(time + (long)reader.UVarint());
            var max = unchecked(min + (long)reader.UVarint());
            reference = i == 0 ? reader.UVarint() : unchecked(reference + (ulong)reader.SVarint());
            if (max < min)
            {
                BlockDamage.Throw(file.Name, at, $"a chunk covers {min} to {max}");
            }

            time = max;
            into.AddChunk(new ChunkMeta(reference, min, max));
        }
    }
}
