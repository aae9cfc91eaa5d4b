using System.Collections.Concurrent;
using System.Text;

namespace Metrics.Gateway.Otlp;

/// <summary>The settings of a translation, worked out once. Immutable.</summary>
internal sealed class OtlpTranslation
{
    private readonly bool promoteAll;
    private readonly byte[][] attributes;

    /// <summary>Works out validated options.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="typeAndUnitLabels">Whether series get <c>__type__</c> and <c>__unit__</c>: Prometheus's feature of that name.</param>
    /// <param name="lookback">How long a sample counts for a query; target_info is repeated twice in that time.</param>
    public OtlpTranslation(OtlpOptions options, bool typeAndUnitLabels, TimeSpan lookback)
    {
        Escape = options.TranslationStrategy is "UnderscoreEscapingWithSuffixes" or "UnderscoreEscapingWithoutSuffixes";
        AddSuffixes = options.TranslationStrategy is "UnderscoreEscapingWithSuffixes" or "NoUTF8EscapingWithSuffixes";
        PrefixUnderscore = options.LabelNameUnderscoreSanitization;
        KeepUnderscores = options.LabelNamePreserveMultipleUnderscores;
        PromoteScope = options.PromoteScopeMetadata;
        KeepIdentifying = options.KeepIdentifyingResourceAttributes;
        ToCustomBuckets = options.ConvertHistogramsToNhcb;
        StoreDelta = options.Delta == OtlpDelta.Store;
        TypeAndUnitLabels = typeAndUnitLabels;
        TargetInfoIntervalMs = Math.Max(1, (long)lookback.TotalMilliseconds / 2);
        promoteAll = options.PromoteAllResourceAttributes;
        attributes = [.. (promoteAll ? options.IgnoreResourceAttributes : options.PromoteResourceAttributes).Select(Encoding.UTF8.GetBytes)];
    }

    /// <summary>Names keep nothing but letters, digits, underscores and (metrics) colons.</summary>
    public bool Escape { get; }

    /// <summary>Metric names end in unit and type.</summary>
    public bool AddSuffixes { get; }

    /// <summary>See <see cref="OtlpOptions.LabelNameUnderscoreSanitization"/>.</summary>
    public bool PrefixUnderscore { get; }

    /// <summary>See <see cref="OtlpOptions.LabelNamePreserveMultipleUnderscores"/>.</summary>
    public bool KeepUnderscores { get; }

    /// <summary>See <see cref="OtlpOptions.PromoteScopeMetadata"/>.</summary>
    public bool PromoteScope { get; }

    /// <summary>See <see cref="OtlpOptions.KeepIdentifyingResourceAttributes"/>.</summary>
    public bool KeepIdentifying { get; }

    /// <summary>See <see cref="OtlpOptions.ConvertHistogramsToNhcb"/>.</summary>
    public bool ToCustomBuckets { get; }

    /// <summary>See <see cref="OtlpOptions.Delta"/>.</summary>
    public bool StoreDelta { get; }

    /// <summary>Series get <c>__type__</c> and <c>__unit__</c>.</summary>
    public bool TypeAndUnitLabels { get; }

    /// <summary>The time between two samples of target_info in one request.</summary>
    public long TargetInfoIntervalMs { get; }

    /// <summary>True when a resource attribute becomes a label of all series.</summary>
    public bool IsPromoted(ReadOnlySpan<byte> key)
    {
        foreach (var attribute in attributes)
        {
            if (key.SequenceEqual(attribute))
            {
                return !promoteAll;
            }
        }

        return promoteAll;
    }
}

/// <summary>Translators, used again and again: they know the names they met. Thread-safe.</summary>
internal sealed class OtlpTranslators(OtlpTranslation settings)
{
    private readonly ConcurrentBag<OtlpTranslator> idle = [];
    private readonly int maxIdle = 2 * Environment.ProcessorCount;

    /// <summary>A translator, until <see cref="Return"/>.</summary>
    public OtlpTranslator Take() => idle.TryTake(out var translator) ? translator : new OtlpTranslator(settings);

    /// <summary>Gives a translator back.</summary>
    public void Return(OtlpTranslator translator)
    {
        if (idle.Count < maxIdle && translator.Release())
        {
            idle.Add(translator);
        }
    }
}
