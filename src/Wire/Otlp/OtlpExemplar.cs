namespace Metrics.Wire;

/// <summary>One exemplar of a data point.</summary>
/// <remarks>
/// <code>
/// Exemplar { fixed64 time_unix_nano = 2; oneof value { double as_double = 3; sfixed64 as_int = 6; } bytes span_id = 4; bytes trace_id = 5;
///            repeated KeyValue filtered_attributes = 7; }
/// </code>
/// </remarks>
public readonly ref struct OtlpExemplar
{
    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;

    internal OtlpExemplar(ReadOnlySpan<byte> message, int origin)
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
                    TimeUnixNano = fields.ReadFixed64();
                    break;
                case 3:
                    fields.Expect(WireType.Fixed64, type, field);
                    Value = fields.ReadDouble();
                    break;
                case 4:
                    fields.Expect(WireType.Bytes, type, field);
                    SpanId = fields.ReadBytes();
                    break;
                case 5:
                    fields.Expect(WireType.Bytes, type, field);
                    TraceId = fields.ReadBytes();
                    break;
                case 6:
                    fields.Expect(WireType.Fixed64, type, field);
                    Value = (long)fields.ReadFixed64();
                    break;
                default:
                    fields.Skip(type);
                    break;
            }
        }
    }

    /// <summary>When it was measured, Unix nanoseconds; 0 when unset.</summary>
    public ulong TimeUnixNano { get; }

    /// <summary>What was measured.</summary>
    public double Value { get; }

    /// <summary>The trace it was measured in, 16 bytes from honest senders; empty when none.</summary>
    public ReadOnlySpan<byte> TraceId { get; }

    /// <summary>The span it was measured in, 8 bytes from honest senders; empty when none.</summary>
    public ReadOnlySpan<byte> SpanId { get; }

    /// <summary>What the data point's attributes leave out.</summary>
    public OtlpAttributeEnumerator FilteredAttributes => new(message, origin, 7);
}

/// <summary>Walks the exemplars of a data point.</summary>
public ref struct OtlpExemplarEnumerator
{
    private readonly int origin;
    private SubmessageEnumerator exemplars;

    internal OtlpExemplarEnumerator(ReadOnlySpan<byte> message, int origin, int field)
    {
        this.origin = origin;
        exemplars = new SubmessageEnumerator(message, origin, field);
    }

    /// <summary>The exemplar at the cursor; decoded now, so ask once.</summary>
    public readonly OtlpExemplar Current => new(exemplars.Current, exemplars.CurrentOffset);

    /// <summary>Where the exemplar lies, for <see cref="OtlpHistogramPoint.ExemplarAt"/>.</summary>
    public readonly Range CurrentRange => (exemplars.CurrentOffset - origin)..(exemplars.CurrentOffset - origin + exemplars.Current.Length);

    /// <summary>Steps to the next exemplar; false at the end.</summary>
    public bool MoveNext() => exemplars.MoveNext();

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly OtlpExemplarEnumerator GetEnumerator() => this;
}
