using System.Diagnostics.CodeAnalysis;
using System.Text;
using Metrics.Cluster;
using Metrics.Wire;

namespace Metrics.Gateway.Otlp;

/// <summary>What an OTLP metric's name, unit and kind come to.</summary>
internal sealed class OtlpFamily
{
    /// <summary>What metadata keeps of a text.</summary>
    private const int MaxHelpBytes = 4096;

    private readonly string unit;
    private byte[] help = [];

    /// <summary>Translates.</summary>
    public OtlpFamily(string? name, string type, string unit, string unitLabel)
    {
        this.unit = unit;
        IsValid = name is not null;
        Text = name ?? "";
        Name = Encoding.UTF8.GetBytes(Text);
        Sum = Encoding.UTF8.GetBytes(Text + "_sum");
        Count = Encoding.UTF8.GetBytes(Text + "_count");
        Bucket = Encoding.UTF8.GetBytes(Text + "_bucket");
        Type = Encoding.UTF8.GetBytes(type);
        UnitLabel = Encoding.UTF8.GetBytes(unitLabel);
        Metadata = new MetricMetadata(type, "", unit);
    }

    /// <summary>False when nothing usable was left of the name.</summary>
    public bool IsValid { get; }

    /// <summary>The name of the family.</summary>
    public string Text { get; }

    /// <summary>The name of the family.</summary>
    public byte[] Name { get; }

    /// <summary>The name of the series of sums.</summary>
    public byte[] Sum { get; }

    /// <summary>The name of the series of counts.</summary>
    public byte[] Count { get; }

    /// <summary>The name of the series of buckets.</summary>
    public byte[] Bucket { get; }

    /// <summary>The type, as metadata and the label <c>__type__</c> say it.</summary>
    public byte[] Type { get; }

    /// <summary>The unit, as the label <c>__unit__</c> says it.</summary>
    public byte[] UnitLabel { get; }

    /// <summary>What was said of the family last.</summary>
    public MetricMetadata Metadata { get; private set; }

    /// <summary>Takes a help text; the same one again costs nothing.</summary>
    public void Describe(ReadOnlySpan<byte> description)
    {
        description = description[..Math.Min(description.Length, MaxHelpBytes)];
        if (!description.SequenceEqual(help))
        {
            help = description.ToArray();
            Metadata = new MetricMetadata(Metadata.Type, Encoding.UTF8.GetString(description), unit);
        }
    }
}

/// <summary>The families translated lately, so that a metric that comes again and again is translated once. Not thread-safe.</summary>
internal sealed class OtlpFamilies(bool escape, bool addSuffixes)
{
    /// <summary>Some kilobytes each with a long help text; a fleet's SDKs have some hundred metrics together.</summary>
    private const int MaxFamilies = 4096;

    private const int MaxKeyBytes = 1024;

    private readonly Dictionary<byte[], OtlpFamily> known = new(new ByBytes());
    private readonly byte[] key = new byte[MaxKeyBytes];

    /// <summary>The family of a metric.</summary>
    public OtlpFamily Of(OtlpMetricView metric)
    {
        var type = TypeOf(metric);
        var length = 3 + metric.Unit.Length + metric.Name.Length;
        if (length > MaxKeyBytes)
        {
            return Translate(metric, type);
        }

        key[0] = (byte)metric.Kind;
        key[1] = (byte)((int)metric.Temporality | (metric.IsMonotonic ? 4 : 0));
        metric.Name.CopyTo(key.AsSpan(2));
        key[2 + metric.Name.Length] = 0;
        metric.Unit.CopyTo(key.AsSpan(3 + metric.Name.Length));
        var lookup = known.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (lookup.TryGetValue(key.AsSpan(0, length), out var family))
        {
            return family;
        }

        if (known.Count >= MaxFamilies)
        {
            known.Clear();
        }

        family = Translate(metric, type);
        lookup[key.AsSpan(0, length)] = family;
        return family;
    }

    private OtlpFamily Translate(OtlpMetricView metric, string type)
    {
        var unit = Encoding.UTF8.GetString(metric.Unit);
        var name = OtlpMetricName.Of(Encoding.UTF8.GetString(metric.Name), unit, metric.Kind, metric.IsMonotonic, escape, addSuffixes);
        return new OtlpFamily(name, type, OtlpUnits.ForMetadata(unit, escape: true), OtlpUnits.ForMetadata(unit, escape));
    }

    private static string TypeOf(OtlpMetricView metric) => metric.Kind switch
    {
        OtlpMetricKind.Gauge => "gauge",
        OtlpMetricKind.Summary => "summary",

        // Prometheus has no word for what counts since the point before.
        _ when metric.Temporality == OtlpTemporality.Delta => "unknown",
        OtlpMetricKind.Sum => metric.IsMonotonic ? "counter" : "gauge",
        _ => "histogram",
    };

    private sealed class ByBytes : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode((ReadOnlySpan<byte>)obj);

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = default(HashCode);
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
    }
}
