using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Writes an index file of version 2, as Prometheus reads it; FORMAT.md beside this file draws it.</summary>
/// <remarks>
/// The symbols stand before the series in the file but are known only after them, so series are first spooled to a file of their own, with their
/// label pairs numbered as they arrive, and copied over once the numbers' order is known. Memory holds the symbols, the distinct pairs and 4 bytes
/// per label of a series (the postings), never the series. Not thread-safe.
/// </remarks>
public sealed class IndexWriter : IDisposable
{
    private readonly string path;
    private readonly string spoolPath;
    private readonly FileStream spool;
    private readonly SectionWriter spoolWriter;
    private readonly SymbolInterner symbols = new();
    private readonly Dictionary<ulong, int> pairNumbers = [];
    private readonly List<(int Name, int Value, int Uses)> pairs = [];
    private byte[] lastLabels = [];
    private byte[] entry = new byte[1024];
    private ulong lastReference;
    private int seriesCount;
    private bool finished;
    private bool disposed;

    /// <summary>Creates the file, which must not exist, and a spool file beside it.</summary>
    public IndexWriter(string path)
    {
        this.path = path;
        spoolPath = path + ".series.tmp";
        spool = new FileStream(spoolPath, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1);
        spoolWriter = new SectionWriter(spool);
    }

    /// <summary>Adds a series.</summary>
    /// <param name="canonicalLabels">The labels, greater than those of the series before in the order of <see cref="Labels.Compare"/>.</param>
    /// <param name="chunks">Times ascending without overlap, references ascending, also from series to series.</param>
    /// <exception cref="ArgumentException">An order is broken.</exception>
    public void AddSeries(ReadOnlySpan<byte> canonicalLabels, ReadOnlySpan<ChunkMeta> chunks)
    {
        ObjectDisposedException.ThrowIf(finished, this);
        if (seriesCount > 0 && Labels.Compare(lastLabels, canonicalLabels) >= 0)
        {
            throw new ArgumentException(
                $"series out of order: {Labels.FromEncoded(canonicalLabels)} follows {Labels.FromEncoded(lastLabels)}", nameof(canonicalLabels));
        }

        CheckChunks(chunks);
        var count = 0;
        foreach (var _ in new LabelEnumerator(canonicalLabels))
        {
            count++;
        }

        spoolWriter.UVarint((ulong)count);
        foreach (var label in new LabelEnumerator(canonicalLabels))
        {
            spoolWriter.UVarint((ulong)NumberOf(label));
        }

        var length = EncodeChunks(chunks);
        spoolWriter.UVarint((ulong)length);
        spoolWriter.Bytes(entry.AsSpan(0, length));
        lastLabels = canonicalLabels.ToArray();
        seriesCount++;
    }

    /// <summary>Writes everything after the last series and flushes the file to the disk.</summary>
    public IndexSummary Finish()
    {
        ObjectDisposedException.ThrowIf(finished, this);
        finished = true;
        spoolWriter.Flush();
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 1);
        var to = new SectionWriter(file);
        to.UInt32(IndexFormat.Magic);
        to.Byte(IndexFormat.Version);

        var order = symbols.Sorted();
        var symbolsAt = to.Position;
        WriteSymbols(to, order);
        var ranks = Inverse(order);

        to.Align(IndexFormat.SeriesAlignment);
        var seriesAt = to.Position;
        var postings = WriteSeries(to, ranks);

        // Label indices are no longer read by anyone; their place is empty but the table must be there.
        var labelIndicesAt = to.Position;
        to.Align(4);
        var postingsAt = to.Position;
        var sortedPairs = SortedPairs(ranks);
        var offsets = WritePostings(to, postings, sortedPairs);
        var labelTableAt = to.Position;
        WriteEmptyTable(to);
        var postingsTableAt = to.Position;
        WritePostingsTable(to, sortedPairs, offsets);

        to.BeginChecksum();
        foreach (var reference in (ReadOnlySpan<long>)[symbolsAt, seriesAt, labelIndicesAt, labelTableAt, postingsAt, postingsTableAt])
        {
            to.UInt64((ulong)reference);
        }

        to.EndChecksum();
        to.Flush();
        file.Flush(flushToDisk: true);
        return new IndexSummary(to.Position, seriesCount, symbols.Count);
    }

    /// <summary>Removes the spool file; without <see cref="Finish"/> there is no index.</summary>
    public void Dispose()
    {
        finished = true;
        if (!disposed)
        {
            disposed = true;
            spool.Dispose();
            File.Delete(spoolPath);
        }
    }

    private void CheckChunks(ReadOnlySpan<ChunkMeta> chunks)
    {
        for (var i = 0; i < chunks.Length; i++)
        {
            var chunk = chunks[i];
            if (chunk.MaxMs < chunk.MinMs || (i > 0 && chunk.MinMs <= chunks[i - 1].MaxMs))
            {
                throw new ArgumentException($"chunk {i} covers {chunk.MinMs} to {chunk.MaxMs}: times of a series' chunks must ascend without overlap", nameof(chunks));
            }

            if (chunk.Reference < lastReference)
            {
                throw new ArgumentException($"chunk reference {chunk.Reference:x} follows {lastReference:x}", nameof(chunks));
            }

            lastReference = chunk.Reference;
        }
    }

    private int NumberOf(LabelView label)
    {
        var name = symbols.Intern(label.Name);
        var value = symbols.Intern(label.Value);
        ref var number = ref CollectionsMarshal.GetValueRefOrAddDefault(pairNumbers, ((ulong)(uint)name << 32) | (uint)value, out var known);
        if (!known)
        {
            number = pairs.Count;
            pairs.Add((name, value, 0));
        }

        CollectionsMarshal.AsSpan(pairs)[number].Uses++;
        return number;
    }

    private int EncodeChunks(ReadOnlySpan<ChunkMeta> chunks)
    {
        var most = Varint.MaxBytes * (1 + (3 * chunks.Length));
        if (entry.Length < most)
        {
            entry = new byte[most * 2];
        }

        var to = entry.AsSpan();
        var at = Varint.Write(to, (ulong)chunks.Length);
        for (var i = 0; i < chunks.Length; i++)
        {
            var chunk = chunks[i];
            at += i == 0 ? Varint.WriteSigned(to[at..], chunk.MinMs) : Varint.Write(to[at..], unchecked((ulong)(chunk.MinMs - chunks[i - 1].MaxMs)));
            at += Varint.Write(to[at..], unchecked((ulong)(chunk.MaxMs - chunk.MinMs)));
            at += i == 0
                ? Varint.Write(to[at..], chunk.Reference)
                : Varint.WriteSigned(to[at..], unchecked((long)(chunk.Reference - chunks[i - 1].Reference)));
        }

        return at;
    }

    private void WriteSymbols(SectionWriter to, int[] order)
    {
        long length = 4;
        foreach (var symbol in order)
        {
            length += Varint.Length((ulong)symbols[symbol].Length) + symbols[symbol].Length;
        }

        BeginSection(to, length, "the symbols");
        to.UInt32((uint)order.Length);
        foreach (var symbol in order)
        {
            to.Text(symbols[symbol]);
        }

        to.EndChecksum();
    }

    /// <summary>Copies the spooled series; returns the references of all series, then those of each pair, in the order pairs were numbered.</summary>
    private uint[] WriteSeries(SectionWriter to, int[] ranks)
    {
        var cursors = PairStarts(out var total);
        var postings = new uint[total];
        spool.Position = 0;
        using var reader = new BinaryReader(new BufferedStream(spool, 64 * 1024), System.Text.Encoding.UTF8, leaveOpen: true);
        var body = new byte[1024];
        for (var series = 0; series < seriesCount; series++)
        {
            to.Align(IndexFormat.SeriesAlignment);
            var reference = checked((uint)(to.Position / IndexFormat.SeriesAlignment));
            postings[series] = reference;
            var count = reader.Read7BitEncodedInt();
            Reserve(ref body, 0, Varint.MaxBytes * (1 + (2 * count)));
            var length = Varint.Write(body, (ulong)count);
            for (var i = 0; i < count; i++)
            {
                var number = reader.Read7BitEncodedInt();
                postings[cursors[number]++] = reference;
                length += Varint.Write(body.AsSpan(length), (ulong)ranks[pairs[number].Name]);
                length += Varint.Write(body.AsSpan(length), (ulong)ranks[pairs[number].Value]);
            }

            var chunkBytes = reader.Read7BitEncodedInt();
            Reserve(ref body, length, chunkBytes);
            reader.BaseStream.ReadExactly(body, length, chunkBytes);
            length += chunkBytes;
            to.UVarint((ulong)length);
            to.BeginChecksum();
            to.Bytes(body.AsSpan(0, length));
            to.EndChecksum();
        }

        return postings;
    }

    private int[] PairStarts(out int total)
    {
        var starts = new int[pairs.Count];
        total = seriesCount;
        for (var i = 0; i < starts.Length; i++)
        {
            starts[i] = total;
            total = checked(total + pairs[i].Uses);
        }

        return starts;
    }

    private int[] SortedPairs(int[] ranks)
    {
        var order = new int[pairs.Count];
        var keys = new ulong[pairs.Count];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i;
            keys[i] = ((ulong)(uint)ranks[pairs[i].Name] << 32) | (uint)ranks[pairs[i].Value];
        }

        Array.Sort(keys, order);
        return order;
    }

    /// <summary>Writes the list of all series, then those of the pairs in order; returns their offsets.</summary>
    private long[] WritePostings(SectionWriter to, uint[] postings, int[] sortedPairs)
    {
        var starts = PairStarts(out _);
        var offsets = new long[sortedPairs.Length + 1];
        for (var i = 0; i < offsets.Length; i++)
        {
            var list = i == 0 ? postings.AsSpan(0, seriesCount) : postings.AsSpan(starts[sortedPairs[i - 1]], pairs[sortedPairs[i - 1]].Uses);
            to.Align(4);
            offsets[i] = to.Position;
            BeginSection(to, 4 + (4L * list.Length), "a postings list");
            to.UInt32((uint)list.Length);
            foreach (var reference in list)
            {
                to.UInt32(reference);
            }

            to.EndChecksum();
        }

        return offsets;
    }

    private static void WriteEmptyTable(SectionWriter to)
    {
        BeginSection(to, 4, "the label offset table");
        to.UInt32(0);
        to.EndChecksum();
    }

    private void WritePostingsTable(SectionWriter to, int[] sortedPairs, long[] offsets)
    {
        long length = 4;
        for (var i = 0; i < offsets.Length; i++)
        {
            var (name, value) = PairText(sortedPairs, i);
            length += 1 + Varint.Length((ulong)name.Length) + name.Length + Varint.Length((ulong)value.Length) + value.Length + Varint.Length((ulong)offsets[i]);
        }

        BeginSection(to, length, "the postings offset table");
        to.UInt32((uint)offsets.Length);
        for (var i = 0; i < offsets.Length; i++)
        {
            var (name, value) = PairText(sortedPairs, i);
            to.Byte(2);
            to.Text(name);
            to.Text(value);
            to.UVarint((ulong)offsets[i]);
        }

        to.EndChecksum();
    }

    private Pair PairText(int[] sortedPairs, int position) =>
        position == 0 ? default : new Pair(symbols[pairs[sortedPairs[position - 1]].Name], symbols[pairs[sortedPairs[position - 1]].Value]);

    private static void BeginSection(SectionWriter to, long length, string what)
    {
        if (length > uint.MaxValue)
        {
            throw new InvalidOperationException($"{what} of the index would take {length} bytes; the format's limit is {uint.MaxValue}");
        }

        to.UInt32((uint)length);
        to.BeginChecksum();
    }

    private static int[] Inverse(int[] order)
    {
        var ranks = new int[order.Length];
        for (var rank = 0; rank < order.Length; rank++)
        {
            ranks[order[rank]] = rank;
        }

        return ranks;
    }

    private static void Reserve(ref byte[] buffer, int used, int more)
    {
        if (buffer.Length - used < more)
        {
            Array.Resize(ref buffer, Math.Max(used + more, buffer.Length * 2));
        }
    }

    private readonly ref struct Pair(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        private readonly ReadOnlySpan<byte> name = name;
        private readonly ReadOnlySpan<byte> value = value;

        public void Deconstruct(out ReadOnlySpan<byte> pairName, out ReadOnlySpan<byte> pairValue)
        {
            pairName = name;
            pairValue = value;
        }
    }
}

/// <summary>What an index turned out to hold.</summary>
/// <param name="Bytes">Size of the file.</param>
/// <param name="Series">Number of series.</param>
/// <param name="Symbols">Number of distinct label names and values.</param>
public readonly record struct IndexSummary(long Bytes, int Series, int Symbols);
