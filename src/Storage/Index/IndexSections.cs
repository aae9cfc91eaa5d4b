using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Finds and verifies the sections of an index file.</summary>
internal static class IndexSections
{
    /// <summary>The bytes between length and checksum of a section, both verified.</summary>
    /// <param name="file">The index.</param>
    /// <param name="offset">Where the section's length stands.</param>
    /// <param name="what">What messages call the section.</param>
    public static ReadOnlySpan<byte> Read(IBlockFile file, long offset, string what)
    {
        try
        {
            return ReadOnce(file, offset, what);
        }
        catch (InvalidDataException) when (file.IsRemote)
        {
            if (file.Refetched() is not { } source)
            {
                throw;
            }

            var body = ReadOnce(source, offset, what);
            source.Mend(offset, 4 + body.Length + 4);
            return body;
        }
    }

    private static ReadOnlySpan<byte> ReadOnce(IBlockFile file, long offset, string what)
    {
        if (offset < IndexFormat.HeaderBytes || offset > file.Length - 8)
        {
            BlockDamage.Throw(file.Name, offset, $"{what} would start outside the file of {file.Length} bytes");
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(file.Range(offset, 4));
        return Verified(file, offset + 4, length, what);
    }

    /// <summary>The bytes of a series entry, verified, and their offset.</summary>
    public static ReadOnlySpan<byte> ReadSeries(IBlockFile file, uint reference, out long bodyOffset)
    {
        try
        {
            return ReadSeriesOnce(file, reference, out bodyOffset);
        }
        catch (InvalidDataException) when (file.IsRemote)
        {
            if (file.Refetched() is not { } source)
            {
                throw;
            }

            var body = ReadSeriesOnce(source, reference, out bodyOffset);
            var offset = (long)reference * IndexFormat.SeriesAlignment;
            source.Mend(offset, (int)(bodyOffset - offset) + body.Length + 4);
            return body;
        }
    }

    private static ReadOnlySpan<byte> ReadSeriesOnce(IBlockFile file, uint reference, out long bodyOffset)
    {
        var offset = (long)reference * IndexFormat.SeriesAlignment;
        if (offset < IndexFormat.HeaderBytes || offset >= file.Length)
        {
            BlockDamage.Throw(file.Name, offset, $"series {reference} would start outside the file of {file.Length} bytes");
        }

        var head = file.Range(offset, (int)Math.Min(Varint.MaxBytes, file.Length - offset));
        var rest = head;
        if (!Varint.TryRead(ref rest, out var length))
        {
            BlockDamage.Throw(file.Name, offset, "malformed length of a series");
        }

        bodyOffset = offset + head.Length - rest.Length;
        return Verified(file, bodyOffset, length, "a series");
    }

    private static ReadOnlySpan<byte> Verified(IBlockFile file, long offset, ulong length, string what)
    {
        if (length > int.MaxValue - 4 || (long)length > file.Length - offset - 4)
        {
            BlockDamage.Throw(file.Name, offset, $"{what} of {length} bytes does not fit into the file of {file.Length} bytes");
        }

        var bytes = file.Range(offset, (int)length + 4);
        var body = bytes[..(int)length];
        var want = BinaryPrimitives.ReadUInt32BigEndian(bytes[(int)length..]);
        var got = Crc32C.Of(body);
        if (want != got)
        {
            BlockDamage.Throw(file.Name, offset, $"checksum of {what} is {got:x8}, but {want:x8} is stored");
        }

        return body;
    }
}

/// <summary>The table of contents: where each section starts.</summary>
/// <param name="Symbols">The symbol table.</param>
/// <param name="Series">The first series, before padding.</param>
/// <param name="LabelIndices">The end of the series.</param>
/// <param name="LabelTable">The label offset table, unused.</param>
/// <param name="Postings">The first postings list.</param>
/// <param name="PostingsTable">The postings offset table.</param>
internal readonly record struct IndexToc(long Symbols, long Series, long LabelIndices, long LabelTable, long Postings, long PostingsTable)
{
    /// <summary>Verifies head and foot of an index file and reads the table.</summary>
    public static IndexToc Read(IBlockFile file)
    {
        if (file.Length < IndexFormat.HeaderBytes + IndexFormat.TocBytes)
        {
            BlockDamage.Throw(file.Name, file.Length, $"an index has at least {IndexFormat.HeaderBytes + IndexFormat.TocBytes} bytes");
        }

        var head = new SpanReader(file.Range(0, IndexFormat.HeaderBytes), file.Name, 0);
        var magic = head.UInt32();
        if (magic != IndexFormat.Magic)
        {
            BlockDamage.Throw(file.Name, 0, $"magic number is {magic:x8}, want {IndexFormat.Magic:x8}");
        }

        var version = head.Byte();
        if (version != IndexFormat.Version)
        {
            BlockDamage.Throw(file.Name, 4, $"index version is {version}, only {IndexFormat.Version} is read");
        }

        var at = file.Length - IndexFormat.TocBytes;
        var bytes = file.Range(at, IndexFormat.TocBytes);
        var foot = new SpanReader(bytes, file.Name, at);
        var toc = new IndexToc(
            (long)foot.UInt64(), (long)foot.UInt64(), (long)foot.UInt64(), (long)foot.UInt64(), (long)foot.UInt64(), (long)foot.UInt64());
        if (foot.UInt32() != Crc32C.Of(bytes[..^4]))
        {
            BlockDamage.Throw(file.Name, at, "checksum of the table of contents does not match");
        }

        return toc;
    }
}
