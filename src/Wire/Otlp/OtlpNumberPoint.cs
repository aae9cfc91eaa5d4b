namespace Metrics.Wire;

/// <summary>A data point of a gauge or sum.</summary>
/// <remarks>
/// <code>
/// NumberDataPoint { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; oneof value { double as_double = 4; sfixed64 as_int = 6; }
///                   repeated Exemplar exemplars = 5; repeated KeyValue attributes = 7; uint32 flags = 8; }
/// </code>
/// </remarks>
public readonly ref struct OtlpNumberPoint
{
    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;

    internal OtlpNumberPoint(ReadOnlySpan<byte> message, int origin)
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
                    StartUnixNano = fields.ReadFixed64();
                    break;
                case 3:
                    fields.Expect(WireType.Fixed64, type, field);
                    TimeUnixNano = fields.ReadFixed64();
                    break;
                case 4:
                    fields.Expect(WireType.Fixed64, type, field);
                    Value = fields.ReadDouble();
                    break;
                case 5:
                    fields.Expect(WireType.Bytes, type, field);
                    fields.ReadBytes();
                    ExemplarCount++;
                    break;
                case 6:
                    fields.Expect(WireType.Fixed64, type, field);
                    Value = (long)fields.ReadFixed64();
                    break;
                case 8:
                    fields.Expect(WireType.Varint, type, field);
                    HasNoValue = (fields.ReadVarint() & 1) != 0;
                    break;
                default:
                    fields.Skip(type);
                    break;
            }
        }
    }

    /// <summary>Since when it counts, Unix nanoseconds; 0 when unset.</summary>
    public ulong StartUnixNano { get; }

    /// <summary>When it was observed, Unix nanoseconds.</summary>
    public ulong TimeUnixNano { get; }

    /// <summary>The value; an integer one as the double nearest to it, 0 when there is none.</summary>
    public double Value { get; }

    /// <summary>True when the flags say that the series has no value now: it has ended.</summary>
    public bool HasNoValue { get; }

    /// <summary>The number of exemplars.</summary>
    public int ExemplarCount { get; }

    /// <summary>The attributes, in the order sent.</summary>
    public OtlpAttributeEnumerator Attributes => new(message, origin, 7);

    /// <summary>The exemplars, in the order sent.</summary>
    public OtlpExemplarEnumerator Exemplars => new(message, origin, 5);
}

/// <summary>Walks the data points of a gauge or sum.</summary>
public ref struct OtlpNumberPointEnumerator
{
    private SubmessageEnumerator points;

    internal OtlpNumberPointEnumerator(ReadOnlySpan<byte> message, int origin) => points = new SubmessageEnumerator(message, origin, 1);

    /// <summary>The point at the cursor; decoded now, so ask once.</summary>
    public readonly OtlpNumberPoint Current => new(points.Current, points.CurrentOffset);

    /// <summary>Steps to the next point; false at the end.</summary>
    public bool MoveNext() => points.MoveNext();

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly OtlpNumberPointEnumerator GetEnumerator() => this;
}
