namespace Metrics.Wire;

/// <summary>The type of a metric family, with the numbers that both versions of remote write use.</summary>
public enum MetricType : byte
{
    /// <summary>Not known, or a number that is not defined.</summary>
    Unknown = 0,

    /// <summary>A counter.</summary>
    Counter = 1,

    /// <summary>A gauge.</summary>
    Gauge = 2,

    /// <summary>A histogram.</summary>
    Histogram = 3,

    /// <summary>A histogram of current values.</summary>
    GaugeHistogram = 4,

    /// <summary>A summary.</summary>
    Summary = 5,

    /// <summary>An info metric.</summary>
    Info = 6,

    /// <summary>A state set.</summary>
    StateSet = 7,
}

/// <summary>What is said about a metric family, borrowed from the body.</summary>
public readonly ref struct MetadataView
{
    internal MetadataView(MetricType type, ReadOnlySpan<byte> familyName, ReadOnlySpan<byte> help, ReadOnlySpan<byte> unit)
    {
        Type = type;
        FamilyName = familyName;
        Help = help;
        Unit = unit;
    }

    /// <summary>The type.</summary>
    public MetricType Type { get; }

    /// <summary>The name of the family; empty in remote write 2.0, where the series has it.</summary>
    public ReadOnlySpan<byte> FamilyName { get; }

    /// <summary>The help text.</summary>
    public ReadOnlySpan<byte> Help { get; }

    /// <summary>The unit.</summary>
    public ReadOnlySpan<byte> Unit { get; }

    internal static MetricType TypeOf(ulong number) => number <= (ulong)MetricType.StateSet ? (MetricType)number : MetricType.Unknown;

    /// <summary>Reads <c>MetricMetadata { MetricType type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }</c>.</summary>
    internal static MetadataView Read(ReadOnlySpan<byte> message, int origin)
    {
        var type = MetricType.Unknown;
        ReadOnlySpan<byte> name = default, help = default, unit = default;
        var fields = new ProtobufReader(message, origin);
        while (fields.TryReadTag(out var field, out var wireType))
        {
            if (field == 1)
            {
                fields.Expect(WireType.Varint, wireType, field);
                type = TypeOf(fields.ReadVarint());
                continue;
            }

            if (field is not (2 or 4 or 5))
            {
                fields.Skip(wireType);
                continue;
            }

            fields.Expect(WireType.Bytes, wireType, field);
            var text = fields.ReadBytes();
            switch (field)
            {
                case 2:
                    name = text;
                    break;
                case 4:
                    help = text;
                    break;
                default:
                    unit = text;
                    break;
            }
        }

        return new MetadataView(type, name, help, unit);
    }
}
