using System.Buffers;

namespace Metrics.Wire;

/// <summary>Walks a decompressed <c>io.prometheus.write.v2.Request</c> (remote write 2.0) without an object per series or sample.</summary>
/// <remarks>
/// <code>
/// Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
/// </code>
/// All text is in the table of symbols, which is located first, wherever in the body it is. Everything handed out borrows the body and the table:
/// it is valid until <see cref="Dispose"/>. The table takes eight bytes of pooled memory per symbol, and a symbol at least two of the body.
/// Methods throw <see cref="WireFormatException"/> when the body is malformed.
/// </remarks>
public ref struct WriteRequest2Reader
{
    private readonly SymbolTable symbols;
    private long[]? table;
    private ProtobufReader fields;
    private ReadOnlySpan<byte> series;
    private int seriesOffset;

    /// <summary>Locates the symbols.</summary>
    /// <exception cref="WireFormatException">The body is malformed, or its first symbol is not the empty string.</exception>
    public WriteRequest2Reader(ReadOnlySpan<byte> body)
    {
        var count = CountSymbols(body);
        table = ArrayPool<long>.Shared.Rent(Math.Max(count, 1));
        FillTable(body, table);
        symbols = new SymbolTable(body, table.AsSpan(0, count));
        fields = new ProtobufReader(body);
        if (count > 0 && !symbols.Get(0, 0).IsEmpty)
        {
            Dispose();
            throw new WireFormatException(WireError.BadReference, 0, "remote write: the first symbol is not the empty string");
        }
    }

    /// <summary>The table of symbols.</summary>
    public readonly SymbolTable Symbols => symbols;

    /// <summary>Steps to the next series; false at the end.</summary>
    public bool Read()
    {
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field != 5)
            {
                fields.Skip(type);
                continue;
            }

            fields.Expect(WireType.Bytes, type, field);
            series = fields.ReadBytes();
            seriesOffset = fields.Offset - series.Length;
            return true;
        }

        return false;
    }

    /// <summary>The series at the cursor. Its fields are located now, so call it once.</summary>
    public readonly TimeSeries2View GetSeries() => new(series, seriesOffset, symbols);

    /// <summary>Gives the table back to the pool; call it once.</summary>
    public void Dispose()
    {
        var owned = table;
        table = null;
        if (owned is not null)
        {
            ArrayPool<long>.Shared.Return(owned);
        }
    }

    private static int CountSymbols(ReadOnlySpan<byte> body)
    {
        var count = 0;
        var reader = new ProtobufReader(body);
        while (reader.TryReadTag(out var field, out var type))
        {
            if (field == 4)
            {
                reader.Expect(WireType.Bytes, type, field);
                count++;
            }

            reader.Skip(type);
        }

        return count;
    }

    private static void FillTable(ReadOnlySpan<byte> body, long[] table)
    {
        var count = 0;
        var reader = new ProtobufReader(body);
        while (reader.TryReadTag(out var field, out var type))
        {
            if (field != 4)
            {
                reader.Skip(type);
                continue;
            }

            var length = reader.ReadBytes().Length;
            table[count++] = ((long)(reader.Position - length) << 32) | (uint)length;
        }
    }
}

/// <summary>The symbols of a remote write 2.0 request, borrowed from its body.</summary>
public readonly ref struct SymbolTable
{
    private readonly ReadOnlySpan<byte> body;
    private readonly ReadOnlySpan<long> entries;

    // An entry is the offset of a symbol in the upper and its length in the lower 32 bits.
    internal SymbolTable(ReadOnlySpan<byte> body, ReadOnlySpan<long> entries)
    {
        this.body = body;
        this.entries = entries;
    }

    /// <summary>The number of symbols.</summary>
    public int Count => entries.Length;

    /// <summary>The text of a symbol. <paramref name="offset"/> is where it is referred to, for the error.</summary>
    /// <exception cref="WireFormatException"><see cref="WireError.BadReference"/>: there is no such symbol.</exception>
    public ReadOnlySpan<byte> Get(ulong reference, long offset)
    {
        if (reference >= (ulong)entries.Length)
        {
            throw new WireFormatException(WireError.BadReference, offset, $"remote write: symbol {reference} of {entries.Length}");
        }

        var entry = entries[(int)reference];
        return body.Slice((int)(entry >> 32), (int)(uint)entry);
    }
}
