namespace Metrics.Wire;

/// <summary>One <c>io.prometheus.write.v2.TimeSeries</c>, borrowed from the body: its fields are located and counted, not yet decoded.</summary>
/// <remarks>
/// <code>
/// TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; repeated Exemplar exemplars = 4; Metadata metadata = 5; }
/// Metadata   { MetricType type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
/// </code>
/// References differ from request to request for the same series, so unlike in 1.0 their bytes are no key to it.
/// </remarks>
public readonly ref struct TimeSeries2View
{
    private readonly ReadOnlySpan<byte> message;
    private readonly ReadOnlySpan<byte> metadata;
    private readonly SymbolTable symbols;
    private readonly int origin;
    private readonly int metadataOrigin;
    private readonly int sampleStart;

    internal TimeSeries2View(ReadOnlySpan<byte> message, int origin, SymbolTable symbols)
    {
        this.message = message;
        this.origin = origin;
        this.symbols = symbols;
        var fields = new ProtobufReader(message, origin);
        var at = 0;
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field is < 2 or > 5)
            {
                fields.Skip(type);
            }
            else
            {
                fields.Expect(WireType.Bytes, type, field);
                var content = fields.ReadBytes();
                switch (field)
                {
                    case 2:
                        if (SampleCount++ == 0)
                        {
                            sampleStart = at;
                        }

                        break;
                    case 3:
                        HistogramCount++;
                        break;
                    case 4:
                        ExemplarCount++;
                        break;
                    default:
                        metadata = content;
                        metadataOrigin = fields.Offset - content.Length;
                        HasMetadata = true;
                        break;
                }
            }

            at = fields.Position;
        }
    }

    /// <summary>The number of float samples.</summary>
    public int SampleCount { get; }

    /// <summary>The number of native histograms. The protocol forbids them beside float samples; that is the caller's to refuse.</summary>
    public int HistogramCount { get; }

    /// <summary>The number of exemplars.</summary>
    public int ExemplarCount { get; }

    /// <summary>True when the series says something about its metric.</summary>
    public bool HasMetadata { get; }

    /// <summary>The labels, in the order sent.</summary>
    public LabelRefEnumerator Labels => new(message, origin, symbols);

    /// <summary>The float samples, in the order sent, with their start timestamps.</summary>
    public SampleFieldEnumerator Samples => new(message, origin, sampleStart, SampleCount);

    /// <summary>The native histograms, in the order sent; each is decoded to an object when stepped to.</summary>
    public HistogramFieldEnumerator Histograms => new(message, origin, 3, HistogramCount);

    /// <summary>The exemplars, in the order sent.</summary>
    public Exemplar2Enumerator Exemplars => new(message, origin, ExemplarCount, symbols);

    /// <summary>The metadata; unknown and empty when there is none. Decoded now, so call it once.</summary>
    public MetadataView GetMetadata()
    {
        var metricType = MetricType.Unknown;
        ReadOnlySpan<byte> help = default, unit = default;
        var fields = new ProtobufReader(metadata, metadataOrigin);
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field is not (1 or 3 or 4))
            {
                fields.Skip(type);
                continue;
            }

            fields.Expect(WireType.Varint, type, field);
            var offset = fields.Offset;
            var number = fields.ReadVarint();
            switch (field)
            {
                case 1:
                    metricType = MetadataView.TypeOf(number);
                    break;
                case 3:
                    help = symbols.Get(number, offset);
                    break;
                default:
                    unit = symbols.Get(number, offset);
                    break;
            }
        }

        return new MetadataView(metricType, default, help, unit);
    }
}
