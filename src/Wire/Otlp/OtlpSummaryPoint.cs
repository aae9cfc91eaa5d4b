namespace Metrics.Wire;

/// <summary>A data point of a summary.</summary>
/// <remarks>
/// <code>
/// SummaryDataPoint { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; double sum = 5;
///                    repeated ValueAtQuantile quantile_values = 6; repeated KeyValue attributes = 7; uint32 flags = 8; }
/// </code>
/// </remarks>
public readonly ref struct OtlpSummaryPoint
{
    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;

    internal OtlpSummaryPoint(ReadOnlySpan<byte> message, int origin)
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

    /// <summary>When it was observed, Unix nanoseconds.</summary>
    public ulong TimeUnixNano { get; }

    /// <summary>All observations.</summary>
    public ulong Count { get; }

    /// <summary>The sum of observations.</summary>
    public double Sum { get; }

    /// <summary>True when the flags say that the series has no value now: it has ended.</summary>
    public bool HasNoValue { get; }

    /// <summary>The attributes, in the order sent.</summary>
    public OtlpAttributeEnumerator Attributes => new(message, origin, 7);

    /// <summary>The quantiles, in the order sent.</summary>
    public OtlpQuantileEnumerator Quantiles => new(message, origin);
}

/// <summary>The value below which a share of observations lies.</summary>
/// <param name="Quantile">The share, 0 to 1 from honest senders.</param>
/// <param name="Value">The value.</param>
public readonly record struct OtlpQuantile(double Quantile, double Value);

/// <summary>Walks the quantiles of a summary: <c>ValueAtQuantile { double quantile = 1; double value = 2; }</c>.</summary>
public ref struct OtlpQuantileEnumerator
{
    private SubmessageEnumerator quantiles;

    internal OtlpQuantileEnumerator(ReadOnlySpan<byte> message, int origin) => quantiles = new SubmessageEnumerator(message, origin, 6);

    /// <summary>The quantile at the cursor.</summary>
    public OtlpQuantile Current { get; private set; }

    /// <summary>Steps to the next quantile; false at the end.</summary>
    public bool MoveNext()
    {
        if (!quantiles.MoveNext())
        {
            return false;
        }

        var quantile = 0.0;
        var value = 0.0;
        var fields = new ProtobufReader(quantiles.Current, quantiles.CurrentOffset);
        while (fields.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1:
                    fields.Expect(WireType.Fixed64, type, field);
                    quantile = fields.ReadDouble();
                    break;
                case 2:
                    fields.Expect(WireType.Fixed64, type, field);
                    value = fields.ReadDouble();
                    break;
                default:
                    fields.Skip(type);
                    break;
            }
        }

        Current = new OtlpQuantile(quantile, value);
        return true;
    }

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly OtlpQuantileEnumerator GetEnumerator() => this;
}

/// <summary>Walks the data points of a summary.</summary>
public ref struct OtlpSummaryPointEnumerator
{
    private SubmessageEnumerator points;

    internal OtlpSummaryPointEnumerator(ReadOnlySpan<byte> message, int origin) => points = new SubmessageEnumerator(message, origin, 1);

    /// <summary>The point at the cursor; decoded now, so ask once.</summary>
    public readonly OtlpSummaryPoint Current => new(points.Current, points.CurrentOffset);

    /// <summary>Steps to the next point; false at the end.</summary>
    public bool MoveNext() => points.MoveNext();

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly OtlpSummaryPointEnumerator GetEnumerator() => this;
}
