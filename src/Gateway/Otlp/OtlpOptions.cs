using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Otlp;

/// <summary>How OTLP metrics become series. Keys and defaults are those of <c>otlp</c> in Prometheus's configuration, where it has them.</summary>
public sealed class OtlpOptions
{
    /// <summary>What <see cref="TranslationStrategy"/> takes, as prometheus/otlptranslator names them.</summary>
    public static IReadOnlyList<string> Strategies { get; } =
        ["UnderscoreEscapingWithSuffixes", "NoUTF8EscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes", "NoTranslation"];

    /// <summary>Where OTLP/gRPC is taken; HTTP/2 needs a port of its own where there is no TLS to agree on it. Off, since the port would be one more to guard. OpenTelemetry's port is 4317.</summary>
    [Setting("Address and port for OTLP/gRPC, e.g. 0.0.0.0:4317; empty for none.")]
    public string GrpcListen { get; set; } = "";

    /// <summary>Whether names are escaped, and get suffixes of unit and type.</summary>
    [Setting("UnderscoreEscapingWithSuffixes, NoUTF8EscapingWithSuffixes, UnderscoreEscapingWithoutSuffixes or NoTranslation.")]
    public string TranslationStrategy { get; set; } = "UnderscoreEscapingWithSuffixes";

    /// <summary>Resource attributes that become labels of every series of the resource.</summary>
    [Setting("Resource attributes that become labels of every series.")]
    public IReadOnlyList<string> PromoteResourceAttributes { get; set; } = [];

    /// <summary>Makes labels of all resource attributes but <see cref="IgnoreResourceAttributes"/>.</summary>
    [Setting("Make labels of all resource attributes.")]
    public bool PromoteAllResourceAttributes { get; set; }

    /// <summary>Resource attributes that stay out when all others become labels.</summary>
    [Setting("Resource attributes left out by promote_all_resource_attributes.")]
    public IReadOnlyList<string> IgnoreResourceAttributes { get; set; } = [];

    /// <summary>Keeps service.name, service.namespace and service.instance.id on target_info, beside job and instance.</summary>
    [Setting("Keep service.name, service.namespace and service.instance.id as labels of target_info.")]
    public bool KeepIdentifyingResourceAttributes { get; set; }

    /// <summary>Makes labels otel_scope_* of name, version, schema and attributes of the instrumentation scope.</summary>
    [Setting("Make labels otel_scope_* of the instrumentation scope.")]
    public bool PromoteScopeMetadata { get; set; }

    /// <summary>Stores histograms with explicit bounds as native histograms with custom bounds, one series each, instead of as classic ones.</summary>
    [Setting("Store histograms with explicit bounds as native histograms with custom bounds.")]
    public bool ConvertHistogramsToNhcb { get; set; }

    /// <summary>Puts <c>key</c> in front of label names that begin with one underscore, when names are escaped.</summary>
    [Setting("Put key in front of label names that begin with one underscore.")]
    public bool LabelNameUnderscoreSanitization { get; set; } = true;

    /// <summary>Keeps runs of underscores in label names, when names are escaped; off collapses them to one, as OpenTelemetry's specification has it.</summary>
    [Setting("Keep runs of underscores in label names.")]
    public bool LabelNamePreserveMultipleUnderscores { get; set; } = true;

    /// <summary>What happens to sums and histograms that count since the point before.</summary>
    [Setting("What happens to delta sums and histograms: refused, or stored as they are with unknown type.")]
    public OtlpDelta Delta { get; set; } = OtlpDelta.Reject;

    /// <summary>Complaints, each a key, its value and what is allowed; none when all is well.</summary>
    internal IEnumerable<(string Key, string Value, string Allowed)> Validate()
    {
        if (!Strategies.Contains(TranslationStrategy, StringComparer.Ordinal))
        {
            yield return ("otlp.translation_strategy", TranslationStrategy, string.Join(", ", Strategies));
        }

        if (PromoteAllResourceAttributes && PromoteResourceAttributes.Count > 0)
        {
            yield return ("otlp.promote_resource_attributes", string.Join(", ", PromoteResourceAttributes), "nothing, when otlp.promote_all_resource_attributes is set");
        }

        if (!PromoteAllResourceAttributes && IgnoreResourceAttributes.Count > 0)
        {
            yield return ("otlp.ignore_resource_attributes", string.Join(", ", IgnoreResourceAttributes), "nothing, unless otlp.promote_all_resource_attributes is set");
        }
    }
}

/// <summary>What happens to delta temporality.</summary>
public enum OtlpDelta
{
    /// <summary>Data points are refused and counted.</summary>
    Reject,

    /// <summary>They are stored as they are, as Prometheus does with <c>otlp-native-delta-ingestion</c>; the metric's type is unknown, histograms are gauge histograms.</summary>
    Store,
}
