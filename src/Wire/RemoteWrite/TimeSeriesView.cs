namespace Metrics.Wire;

/// <summary>One <c>prometheus.TimeSeries</c>, borrowed from the body: its fields are located and counted, not yet decoded.</summary>
/// <remarks>
/// <code>
/// TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
/// </code>
/// Senders write fields in this order, so the labels are one run of bytes: the same bytes for the same series, scrape after scrape. A cache keyed by
/// <see cref="RawLabels"/> recognises a known series without looking at a label. Order and duplicates of labels are the sender's; they are not judged here.
/// </remarks>
public readonly ref struct TimeSeriesView
{
    private readonly ReadOnlySpan<byte> message;
    private readonly int origin;
    private readonly int labelStart;
    private readonly int labelEnd;
    private readonly int sampleStart;

    internal TimeSeriesView(ReadOnlySpan<byte> message, int origin)
    {
        this.message = message;
        this.origin = origin;
        HasContiguousLabels = true;

        var fields = new ProtobufReader(message, origin);
        var previous = 0;
        var at = 0;
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field is < 1 or > 4)
            {
                fields.Skip(type);
            }
            else
            {
                fields.Expect(WireType.Bytes, type, field);
                fields.ReadBytes();
                switch (field)
                {
                    case 1:
                        if (LabelCount++ == 0)
                        {
                            labelStart = at;
                        }
                        else if (previous != 1)
                        {
                            HasContiguousLabels = false;
                        }

                        labelEnd = fields.Position;
                        break;
                    case 2:
                        if (SampleCount++ == 0)
                        {
                            sampleStart = at;
                        }

                        break;
                    case 3:
                        ExemplarCount++;
                        break;
                    default:
                        HistogramCount++;
                        break;
                }
            }

            previous = field;
            at = fields.Position;
        }
    }

    /// <summary>The number of labels.</summary>
    public int LabelCount { get; }

    /// <summary>The number of float samples.</summary>
    public int SampleCount { get; }

    /// <summary>The number of exemplars.</summary>
    public int ExemplarCount { get; }

    /// <summary>The number of native histograms.</summary>
    public int HistogramCount { get; }

    /// <summary>True when the labels are one run of bytes, as every known sender writes them.</summary>
    public bool HasContiguousLabels { get; }

    /// <summary>
    /// The label fields as sent, tags included, when <see cref="HasContiguousLabels"/>; otherwise empty, and <see cref="GetRawLabels"/> serves.
    /// Equal bytes mean equal labels; the reverse does not hold.
    /// </summary>
    public ReadOnlySpan<byte> RawLabels => HasContiguousLabels ? message[labelStart..labelEnd] : default;

    /// <summary>The labels, in the order sent.</summary>
    public LabelFieldEnumerator Labels => new(message[labelStart..labelEnd], origin + labelStart, 1);

    /// <summary>The float samples, in the order sent.</summary>
    public SampleFieldEnumerator Samples => new(message, origin, sampleStart, SampleCount);

    /// <summary>The exemplars, in the order sent.</summary>
    public ExemplarFieldEnumerator Exemplars => new(message, origin, ExemplarCount);

    /// <summary>The native histograms, in the order sent; each is decoded to an object when stepped to.</summary>
    public HistogramFieldEnumerator Histograms => new(message, origin, 4, HistogramCount);

    /// <summary>
    /// <see cref="RawLabels"/>, or when labels are interleaved with other fields, the same bytes gathered in <paramref name="scratch"/>, which grows as needed.
    /// </summary>
    public ReadOnlySpan<byte> GetRawLabels(ref byte[] scratch)
    {
        if (HasContiguousLabels)
        {
            return message[labelStart..labelEnd];
        }

        var span = message[labelStart..labelEnd];
        if (scratch.Length < span.Length)
        {
            scratch = new byte[span.Length];
        }

        var fields = new ProtobufReader(span, origin + labelStart);
        var gathered = 0;
        var at = 0;
        while (fields.TryReadTag(out var field, out var type))
        {
            fields.Skip(type);
            if (field == 1)
            {
                span[at..fields.Position].CopyTo(scratch.AsSpan(gathered));
                gathered += fields.Position - at;
            }

            at = fields.Position;
        }

        return scratch.AsSpan(0, gathered);
    }
}
