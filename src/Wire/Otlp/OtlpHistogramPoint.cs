namespace Metrics.Wire;

/// <summary>A data point of a histogram with explicit bounds.</summary>
/// <remarks>
/// <code>
/// HistogramDataPoint { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; optional double sum = 5;
///                      repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7; repeated Exemplar exemplars = 8;
///                      repeated KeyValue attributes = 9; uint32 flags = 10; optional double min = 11; optional double max = 12; }
/// </code>
/// </remarks>
public readonly ref struct OtlpHistogramPoint
{
    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;

    internal OtlpHistogramPoint(ReadOnlySpan<byte> message, int origin)
    {
        this.message = message;
        this.origin = origin;
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 3:
                    fields.Expect(WireType.Fixed64, type, field);
                    TimeUnixNano = fields.ReadFixed64();
                    break;
                case 4:
                    fields.Expect(WireType.Fixed64, type, field);
                    Count = fields.ReadFixed64();
                    break;
                case 5:
                    fields.Expect(WireType.Fixed64, type, field);
                    Sum = fields.ReadDouble();
                    HasSum = true;
                    break;
                case 8:
                    fields.Expect(WireType.Bytes, type, field);
                    fields.ReadBytes();
                    ExemplarCount++;
                    break;
                case 10:
                    fields.Expect(WireType.Varint, type, field);
                    HasNoValue = (fields.ReadVarint() & 1) != 0;
                    break;
                default:
                    fields.Skip(type);
                    break;
            }
        }
    }

    /// <summary>When it was observed, Unix nanoseconds.</summary>
    public ulong TimeUnixNano { get; }

    /// <summary>All observations.</summary>
    public ulong Count { get; }

    /// <summary>True when the sum was sent; it is not for what may be negative.</summary>
    public bool HasSum { get; }

    /// <summary>The sum of observations.</summary>
    public double Sum { get; }

    /// <summary>True when the flags say that the series has no value now: it has ended.</summary>
    public bool HasNoValue { get; }

    /// <summary>The number of exemplars.</summary>
    public int ExemplarCount { get; }

    /// <summary>Counts per bucket, not cumulative: one more than bounds, or none.</summary>
    public OtlpNumberList BucketCounts => new(message, origin, 6, isFixed: true);

    /// <summary>Upper bounds, inclusive, ascending; the last bucket's, infinity, is not among them. Doubles as their bits.</summary>
    public OtlpNumberList ExplicitBounds => new(message, origin, 7, isFixed: true);

    /// <summary>The attributes, in the order sent.</summary>
    public OtlpAttributeEnumerator Attributes => new(message, origin, 9);

    /// <summary>The exemplars, in the order sent.</summary>
    public OtlpExemplarEnumerator Exemplars => new(message, origin, 8);

    /// <summary>The exemplar that the enumerator found there.</summary>
    public OtlpExemplar ExemplarAt(Range range) => new(message[range], origin + range.Start.Value);
}

/// <summary>Walks the data points of a histogram.</summary>
public ref struct OtlpHistogramPointEnumerator
{
    private SubmessageEnumerator points;

    internal OtlpHistogramPointEnumerator(ReadOnlySpan<byte> message, int origin) => points = new SubmessageEnumerator(message, origin, 1);

    /// <summary>The point at the cursor; decoded now, so ask once.</summary>
    public readonly OtlpHistogramPoint Current => new(points.Current, points.CurrentOffset);

    /// <summary>Steps to the next point; false at the end.</summary>
    public bool MoveNext() => points.MoveNext();

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly OtlpHistogramPointEnumerator GetEnumerator() => this;
}
