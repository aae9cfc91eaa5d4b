namespace Metrics.Wire;

/// <summary>A data point of an exponential histogram.</summary>
/// <remarks>
/// <code>
/// ExponentialHistogramDataPoint { repeated KeyValue attributes = 1; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4;
///                                 optional double sum = 5; sint32 scale = 6; fixed64 zero_count = 7; Buckets positive = 8; Buckets negative = 9; uint32 flags = 10;
///                                 repeated Exemplar exemplars = 11; optional double min = 12; optional double max = 13; double zero_threshold = 14; }
/// Buckets { sint32 offset = 1; repeated uint64 bucket_counts = 2; }
/// </code>
/// </remarks>
public readonly ref struct OtlpExponentialPoint
{
    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;

    internal OtlpExponentialPoint(ReadOnlySpan<byte> message, int origin)
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
                    break;
                case 6:
                    fields.Expect(WireType.Varint, type, field);
                    Scale = (int)fields.ReadZigZag();
                    break;
                case 7:
                    fields.Expect(WireType.Fixed64, type, field);
                    ZeroCount = fields.ReadFixed64();
                    break;
                case 8:
                    Positive = ReadBuckets(ref fields, type, field);
                    break;
                case 9:
                    Negative = ReadBuckets(ref fields, type, field);
                    break;
                case 10:
                    fields.Expect(WireType.Varint, type, field);
                    HasNoValue = (fields.ReadVarint() & 1) != 0;
                    break;
                case 11:
                    fields.Expect(WireType.Bytes, type, field);
                    fields.ReadBytes();
                    ExemplarCount++;
                    break;
                case 14:
                    fields.Expect(WireType.Fixed64, type, field);
                    ZeroThreshold = fields.ReadDouble();
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

    /// <summary>The sum of observations; 0 when it was not sent.</summary>
    public double Sum { get; }

    /// <summary>Resolution: the buckets' base is 2^(2^-scale). Any 32-bit number.</summary>
    public int Scale { get; }

    /// <summary>Observations in the zero bucket.</summary>
    public ulong ZeroCount { get; }

    /// <summary>Width of the zero bucket; 0 when not said.</summary>
    public double ZeroThreshold { get; }

    /// <summary>Buckets of positive observations.</summary>
    public OtlpBuckets Positive { get; }

    /// <summary>Buckets of negative observations.</summary>
    public OtlpBuckets Negative { get; }

    /// <summary>True when the flags say that the series has no value now: it has ended.</summary>
    public bool HasNoValue { get; }

    /// <summary>The number of exemplars.</summary>
    public int ExemplarCount { get; }

    /// <summary>The attributes, in the order sent.</summary>
    public OtlpAttributeEnumerator Attributes => new(message, origin, 1);

    /// <summary>The exemplars, in the order sent.</summary>
    public OtlpExemplarEnumerator Exemplars => new(message, origin, 11);

    private static OtlpBuckets ReadBuckets(scoped ref ProtobufReader fields, WireType type, int field)
    {
        fields.Expect(WireType.Bytes, type, field);
        var content = fields.ReadBytes();
        return new OtlpBuckets(content, fields.Offset - content.Length);
    }
}

/// <summary>The dense buckets of one side of an exponential histogram.</summary>
public readonly ref struct OtlpBuckets
{
    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;

    internal OtlpBuckets(ReadOnlySpan<byte> message, int origin)
    {
        this.message = message;
        this.origin = origin;
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field != 1)
            {
                fields.Skip(type);
                continue;
            }

            fields.Expect(WireType.Varint, type, field);
            Offset = (int)fields.ReadZigZag();
        }
    }

    /// <summary>The index of the first bucket; bucket i holds what is in (base^i, base^(i+1)]. Any 32-bit number.</summary>
    public int Offset { get; }

    /// <summary>Counts per bucket.</summary>
    public OtlpNumberList Counts => new(message, origin, 2, isFixed: false);
}

/// <summary>Walks the data points of an exponential histogram.</summary>
public ref struct OtlpExponentialPointEnumerator
{
    private SubmessageEnumerator points;

    internal OtlpExponentialPointEnumerator(ReadOnlySpan<byte> message, int origin) => points = new SubmessageEnumerator(message, origin, 1);

    /// <summary>The point at the cursor; decoded now, so ask once.</summary>
    public readonly OtlpExponentialPoint Current => new(points.Current, points.CurrentOffset);

    /// <summary>Steps to the next point; false at the end.</summary>
    public bool MoveNext() => points.MoveNext();

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly OtlpExponentialPointEnumerator GetEnumerator() => this;
}
