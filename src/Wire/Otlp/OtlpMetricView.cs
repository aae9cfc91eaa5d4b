namespace Metrics.Wire;

/// <summary>What a metric's data is.</summary>
public enum OtlpMetricKind : byte
{
    /// <summary>The metric has no data, or data of a kind that is not known.</summary>
    None,

    /// <summary>Current values.</summary>
    Gauge,

    /// <summary>Sums, see <see cref="OtlpMetricView.IsMonotonic"/>.</summary>
    Sum,

    /// <summary>Histograms with explicit bounds.</summary>
    Histogram,

    /// <summary>Exponential histograms.</summary>
    ExponentialHistogram,

    /// <summary>Summaries.</summary>
    Summary,
}

/// <summary>Since when sums and histograms count.</summary>
public enum OtlpTemporality : byte
{
    /// <summary>Not said, or a number that is not defined; not valid.</summary>
    Unspecified = 0,

    /// <summary>Since the point before.</summary>
    Delta = 1,

    /// <summary>Since a fixed start.</summary>
    Cumulative = 2,
}

/// <summary>One metric: a name and data points of one kind.</summary>
/// <remarks>
/// <code>
/// Metric { string name = 1; string description = 2; string unit = 3;
///          oneof data { Gauge = 5; Sum = 7; Histogram = 9; ExponentialHistogram = 10; Summary = 11; } }
/// each of them { repeated ...DataPoint data_points = 1; AggregationTemporality aggregation_temporality = 2; bool is_monotonic = 3; }
/// </code>
/// </remarks>
public readonly ref struct OtlpMetricView
{
    private readonly ReadOnlySpan<byte> data;
    private readonly int dataOrigin;

    internal OtlpMetricView(ReadOnlySpan<byte> message, int origin)
    {
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field is not (1 or 2 or 3 or 5 or 7 or 9 or 10 or 11))
            {
                fields.Skip(type);
                continue;
            }

            fields.Expect(WireType.Bytes, type, field);
            var content = fields.ReadBytes();
            switch (field)
            {
                case 1:
                    Name = content;
                    break;
                case 2:
                    Description = content;
                    break;
                case 3:
                    Unit = content;
                    break;
                default:
                    data = content;
                    dataOrigin = fields.Offset - content.Length;
                    Kind = KindOf(field);
                    break;
            }
        }

        var inner = new ProtobufReader(data, dataOrigin);
        while (inner.TryReadTag(out var field, out var type))
        {
            switch (field)
            {
                case 1:
                    inner.Expect(WireType.Bytes, type, field);
                    inner.ReadBytes();
                    PointCount++;
                    break;
                case 2 when type == WireType.Varint:
                    Temporality = inner.ReadVarint() switch { 1 => OtlpTemporality.Delta, 2 => OtlpTemporality.Cumulative, _ => OtlpTemporality.Unspecified };
                    break;
                case 3 when type == WireType.Varint:
                    IsMonotonic = inner.ReadVarint() != 0;
                    break;
                default:
                    inner.Skip(type);
                    break;
            }
        }
    }

    /// <summary>The name.</summary>
    public ReadOnlySpan<byte> Name { get; }

    /// <summary>What it is about.</summary>
    public ReadOnlySpan<byte> Description { get; }

    /// <summary>The unit, in the notation of UCUM.</summary>
    public ReadOnlySpan<byte> Unit { get; }

    /// <summary>Which of the enumerators has the data points.</summary>
    public OtlpMetricKind Kind { get; }

    /// <summary>Since when the data points count.</summary>
    public OtlpTemporality Temporality { get; }

    /// <summary>True when a sum never falls.</summary>
    public bool IsMonotonic { get; }

    /// <summary>The number of data points.</summary>
    public int PointCount { get; }

    /// <summary>The data points, when the metric is a gauge or a sum.</summary>
    public OtlpNumberPointEnumerator Numbers => new(data, dataOrigin);

    /// <summary>The data points, when the metric is a histogram.</summary>
    public OtlpHistogramPointEnumerator Histograms => new(data, dataOrigin);

    /// <summary>The data points, when the metric is an exponential histogram.</summary>
    public OtlpExponentialPointEnumerator ExponentialHistograms => new(data, dataOrigin);

    /// <summary>The data points, when the metric is a summary.</summary>
    public OtlpSummaryPointEnumerator Summaries => new(data, dataOrigin);

    private static OtlpMetricKind KindOf(int field) => field switch
    {
        5 => OtlpMetricKind.Gauge,
        7 => OtlpMetricKind.Sum,
        9 => OtlpMetricKind.Histogram,
        10 => OtlpMetricKind.ExponentialHistogram,
        _ => OtlpMetricKind.Summary,
    };
}

/// <summary>Walks the metrics of a scope.</summary>
public ref struct OtlpMetricEnumerator
{
    private SubmessageEnumerator metrics;

    internal OtlpMetricEnumerator(ReadOnlySpan<byte> message, int origin) => metrics = new SubmessageEnumerator(message, origin, 2);

    /// <summary>The metric at the cursor; located now, so ask once.</summary>
    public readonly OtlpMetricView Current => new(metrics.Current, metrics.CurrentOffset);

    /// <summary>Steps to the next metric; false at the end.</summary>
    public bool MoveNext() => metrics.MoveNext();

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly OtlpMetricEnumerator GetEnumerator() => this;
}
