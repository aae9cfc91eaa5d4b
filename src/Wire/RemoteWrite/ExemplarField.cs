namespace Metrics.Wire;

/// <summary>One exemplar as sent: <c>Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }</c>.</summary>
public readonly ref struct ExemplarField
{
    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;

    internal ExemplarField(ReadOnlySpan<byte> message, int origin)
    {
        this.message = message;
        this.origin = origin;
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 2:
                    fields.Expect(WireType.Fixed64, type, field);
                    Value = fields.ReadDouble();
                    break;
                case 3:
                    fields.Expect(WireType.Varint, type, field);
                    TimestampMs = (long)fields.ReadVarint();
                    break;
                default:
                    fields.Skip(type);
                    break;
            }
        }
    }

    /// <summary>The exemplary value.</summary>
    public double Value { get; }

    /// <summary>Unix milliseconds; 0 when unset.</summary>
    public long TimestampMs { get; }

    /// <summary>The exemplar's own labels, usually a trace id.</summary>
    public LabelFieldEnumerator Labels => new(message, origin, 1);
}

/// <summary>Walks the exemplars of a series.</summary>
public ref struct ExemplarFieldEnumerator
{
    private const int ExemplarsField = 3;

    private ProtobufReader fields;
    private int left;

    internal ExemplarFieldEnumerator(ReadOnlySpan<byte> message, int origin, int count)
    {
        fields = new ProtobufReader(message, origin);
        left = count;
    }

    /// <summary>The exemplar at the cursor.</summary>
    public ExemplarField Current { get; private set; }

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
            Current = new ExemplarField(exemplar, fields.Offset - exemplar.Length);
            return true;
        }

        return false;
    }

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly ExemplarFieldEnumerator GetEnumerator() => this;
}
