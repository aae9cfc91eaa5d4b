namespace Metrics.Wire;

/// <summary>
/// Walks labels given as references to symbols, name and value in turn: <c>repeated uint32 labels_refs = 1</c>, packed or one a field, of series and exemplars.
/// </summary>
public ref struct LabelRefEnumerator
{
    private const int RefsField = 1;

    private readonly SymbolTable symbols;
    private ProtobufReader fields;
    private ProtobufReader packed;
    private int packedLeft;

    internal LabelRefEnumerator(ReadOnlySpan<byte> message, int origin, SymbolTable symbols)
    {
        this.symbols = symbols;
        fields = new ProtobufReader(message, origin);
    }

    /// <summary>The label at the cursor.</summary>
    public LabelField Current { get; private set; }

    /// <summary>Steps to the next label; false at the end.</summary>
    /// <exception cref="WireFormatException"><see cref="WireError.BadReference"/>: no such symbol, or a name without a value.</exception>
    public bool MoveNext()
    {
        if (!TryReadRef(out var name))
        {
            return false;
        }

        if (!TryReadRef(out var value))
        {
            throw new WireFormatException(WireError.BadReference, fields.Offset, "remote write: an odd number of label references");
        }

        Current = new LabelField(name, value);
        return true;
    }

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly LabelRefEnumerator GetEnumerator() => this;

    private bool TryReadRef(out ReadOnlySpan<byte> text)
    {
        while (true)
        {
            if (packed.Position < packedLeft)
            {
                var offset = packed.Offset;
                text = symbols.Get(packed.ReadVarint(), offset);
                return true;
            }

            if (!fields.TryReadTag(out var field, out var type))
            {
                text = default;
                return false;
            }

            if (field != RefsField)
            {
                fields.Skip(type);
            }
            else if (type == WireType.Varint)
            {
                var offset = fields.Offset;
                text = symbols.Get(fields.ReadVarint(), offset);
                return true;
            }
            else
            {
                fields.Expect(WireType.Bytes, type, field);
                var refs = fields.ReadBytes();
                packed = new ProtobufReader(refs, fields.Offset - refs.Length);
                packedLeft = refs.Length;
            }
        }
    }
}

/// <summary>One exemplar as sent: <c>Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }</c>.</summary>
public readonly ref struct Exemplar2Field
{
    private readonly ReadOnlySpan<byte> message;
    private readonly SymbolTable symbols;
    private readonly int origin;

    internal Exemplar2Field(ReadOnlySpan<byte> message, int origin, SymbolTable symbols)
    {
        this.message = message;
        this.origin = origin;
        this.symbols = symbols;
        var shared = new ExemplarField(message, origin);
        Value = shared.Value;
        TimestampMs = shared.TimestampMs;
    }

    /// <summary>The exemplary value.</summary>
    public double Value { get; }

    /// <summary>Unix milliseconds; 0 when unset.</summary>
    public long TimestampMs { get; }

    /// <summary>The exemplar's own labels.</summary>
    public LabelRefEnumerator Labels => new(message, origin, symbols);
}

/// <summary>Walks the exemplars of a remote write 2.0 series.</summary>
public ref struct Exemplar2Enumerator
{
    private const int ExemplarsField = 4;

    private readonly SymbolTable symbols;
    private ProtobufReader fields;
    private int left;

    internal Exemplar2Enumerator(ReadOnlySpan<byte> message, int origin, int count, SymbolTable symbols)
    {
        this.symbols = symbols;
        fields = new ProtobufReader(message, origin);
        left = count;
    }

    /// <summary>The exemplar at the cursor.</summary>
    public Exemplar2Field Current { get; private set; }

    /// <summary>Steps to the next exemplar; false at the end.</summary>
    public bool MoveNext()
    {
        while (left > 0 && fields.TryReadTag(out var field, out var type))
        {
            if (field != ExemplarsField)
            {
                fields.Skip(type);
                continue;
            }

            left--;
            var exemplar = fields.ReadBytes();
            Current = new Exemplar2Field(exemplar, fields.Offset - exemplar.Length, symbols);
            return true;
        }

        return false;
    }

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly Exemplar2Enumerator GetEnumerator() => this;
}
