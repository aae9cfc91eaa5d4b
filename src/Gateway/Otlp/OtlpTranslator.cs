using System.Buffers;
using System.Text;
using Metrics.Gateway.RemoteWrite;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.Otlp;

/// <summary>Walks an OTLP request into the shards' batches, naming and shaping series as Prometheus does.</summary>
/// <remarks>
/// Facts: prometheus/prometheus storage/remote/otlptranslator and prometheus/otlptranslator. Where Prometheus fails the whole request because of one metric or data point, only that
/// one is refused here, and counted. Labels of a data point are gathered as bytes in reused buffers; a known series costs no object. Not thread-safe; see <see cref="OtlpTranslators"/>.
/// </remarks>
internal sealed partial class OtlpTranslator
{
    private const long NanosPerMs = 1_000_000;
    private const int MaxKeptBytes = 256 * 1024;

    private readonly OtlpTranslation settings;
    private readonly OtlpLabelName labelNames;
    private readonly OtlpFamilies families;
    private readonly OtlpResource resource;
    private readonly LabelGathering inherited = new();
    private readonly LabelGathering labels = new();
    private readonly ArrayBufferWriter<byte> raw = new(4096);
    private readonly ArrayBufferWriter<byte> scratch = new(1024);
    private readonly LabelsBuilder exemplarLabels = new();

    private WriteSink sink = null!;
    private RequestLoad load = null!;
    private OtlpFamily family = null!;
    private long earliestMs;
    private long latestMs;
    private int series;

    /// <summary>Makes a translator for those settings.</summary>
    public OtlpTranslator(OtlpTranslation settings)
    {
        this.settings = settings;
        labelNames = new OtlpLabelName(settings.Escape, settings.PrefixUnderscore, settings.KeepUnderscores);
        families = new OtlpFamilies(settings.Escape, settings.AddSuffixes);
        resource = new OtlpResource(settings, labelNames);
        Reader = Read;
    }

    /// <summary>Reads a message; see <see cref="WriteReader"/>.</summary>
    public WriteReader Reader { get; }

    /// <summary>Data points of the message read last.</summary>
    public long Points { get; private set; }

    /// <summary>Forgets the message; false when it made the buffers too large to keep.</summary>
    public bool Release()
    {
        sink = null!;
        load = null!;
        return raw.Capacity <= MaxKeptBytes && scratch.Capacity <= MaxKeptBytes && counts.Length <= 4096 && labels.CapacityBytes <= MaxKeptBytes && inherited.CapacityBytes <= MaxKeptBytes;
    }

    private int Read(ReadOnlySpan<byte> message, WriteSink to, RequestLoad requestLoad)
    {
        sink = to;
        load = requestLoad;
        series = 0;
        Points = 0;
        foreach (var view in new OtlpRequestReader(message))
        {
            resource.Read(view);
            earliestMs = long.MaxValue;
            latestMs = long.MinValue;
            foreach (var scope in view.Scopes)
            {
                // Not before there is a point: two bytes make an empty scope, and what it inherits may be long.
                var hasInherited = false;
                foreach (var metric in scope.Metrics)
                {
                    if (sink.IsShut)
                    {
                        return series;
                    }

                    if (metric.PointCount == 0)
                    {
                        continue;
                    }

                    if (!hasInherited)
                    {
                        Inherit(scope);
                        hasInherited = true;
                    }

                    Add(metric);
                }
            }

            if (earliestMs <= latestMs)
            {
                AddTargetInfo(view);
            }
        }

        return series;
    }

    private void Inherit(OtlpScopeView scope)
    {
        inherited.Clear();
        inherited.AddAll(resource.Labels);
        if (!settings.PromoteScope || scope.Name.IsEmpty)
        {
            return;
        }

        foreach (var attribute in scope.Attributes)
        {
            scratch.ResetWrittenCount();
            scratch.Write("otel_scope_"u8);
            scratch.Write(attribute.Key);
            var keyLength = scratch.WrittenCount;
            var value = attribute.Value.ToText(scratch);
            inherited.Add(LabelRank.Own, labelNames.Of(scratch.WrittenSpan[..keyLength]), value);
        }

        inherited.Add(LabelRank.Own, "otel_scope_name"u8, scope.Name);
        inherited.Add(LabelRank.Own, "otel_scope_version"u8, scope.Version);
        inherited.Add(LabelRank.Own, "otel_scope_schema_url"u8, scope.SchemaUrl);
    }

    private void Add(OtlpMetricView metric)
    {
        CountSamples(metric);
        Points += metric.PointCount;
        family = families.Of(metric);
        if (!family.IsValid)
        {
            sink.Reject(RejectReason.InvalidName, metric.PointCount, $"metric '{Shown(metric.Name)}'");
            return;
        }

        if (!IsValidTemporality(metric))
        {
            sink.Reject(RejectReason.InvalidTemporality, metric.PointCount, $"metric '{Shown(metric.Name)}' is {(metric.Temporality == OtlpTemporality.Delta ? "delta, and otlp.delta is reject" : "neither cumulative nor delta")}");
            return;
        }

        family.Describe(metric.Description);
        sink.Describe(family.Text, family.Metadata);
        switch (metric.Kind)
        {
            case OtlpMetricKind.Gauge or OtlpMetricKind.Sum:
                AddNumbers(metric);
                break;
            case OtlpMetricKind.Histogram:
                AddHistograms(metric);
                break;
            case OtlpMetricKind.ExponentialHistogram:
                AddExponentialHistograms(metric);
                break;
            case OtlpMetricKind.Summary:
                AddSummaries(metric);
                break;
        }
    }

    private void CountSamples(OtlpMetricView metric)
    {
        // Summaries and classic histograms are several samples a point, and count them one by one.
        if (metric.Kind == OtlpMetricKind.Summary || (metric.Kind == OtlpMetricKind.Histogram && !settings.ToCustomBuckets))
        {
            load.Foresee(metric.PointCount);
        }
        else
        {
            load.AddSamples(metric.PointCount);
        }
    }

    private bool IsValidTemporality(OtlpMetricView metric) =>
        metric.Kind is OtlpMetricKind.Gauge or OtlpMetricKind.Summary
        || metric.Temporality == OtlpTemporality.Cumulative
        || (metric.Temporality == OtlpTemporality.Delta && settings.StoreDelta);

    private void AddNumbers(OtlpMetricView metric)
    {
        foreach (var point in metric.Numbers)
        {
            var timeMs = Seen(point.TimeUnixNano);
            if (!Gather(point.Attributes))
            {
                continue;
            }

            Begin(family.Name, default, default);
            sink.Add(timeMs, point.HasNoValue ? StaleMarker.Value : point.Value);
            if (point.ExemplarCount > 0)
            {
                foreach (var exemplar in point.Exemplars)
                {
                    AddExemplar(exemplar, timeMs);
                }
            }
        }
    }

    private void AddSummaries(OtlpMetricView metric)
    {
        Span<byte> quantileText = stackalloc byte[GoFloat.MaxBytes];
        foreach (var point in metric.Summaries)
        {
            var timeMs = Seen(point.TimeUnixNano);
            if (!Gather(point.Attributes))
            {
                continue;
            }

            AddSample(family.Sum, default, default, timeMs, point.HasNoValue ? StaleMarker.Value : point.Sum);
            AddSample(family.Count, default, default, timeMs, point.HasNoValue ? StaleMarker.Value : point.Count);
            foreach (var quantile in point.Quantiles)
            {
                var length = GoFloat.FormatF(quantile.Quantile, quantileText);
                AddSample(family.Name, "quantile"u8, quantileText[..length], timeMs, point.HasNoValue ? StaleMarker.Value : quantile.Value);
            }
        }
    }

    /// <summary>Gathers the labels of a data point; false when it is refused.</summary>
    private bool Gather(OtlpAttributeEnumerator attributes)
    {
        labels.Clear();
        labels.AddAll(inherited);
        load.AddLabels(labels.TextBytes);
        foreach (var attribute in attributes)
        {
            if (attribute.Key.SequenceEqual("__name__"u8))
            {
                continue;
            }

            scratch.ResetWrittenCount();
            var name = labelNames.Of(attribute.Key);
            labels.Add(LabelRank.Attribute, name, attribute.Key, attribute.Value.ToText(scratch));
            if (name.IsEmpty)
            {
                sink.Reject(RejectReason.InvalidName, 1, $"attribute '{Shown(attribute.Key)}' of metric '{family.Text}'");
                return false;
            }
        }

        if (settings.TypeAndUnitLabels)
        {
            if (!family.Type.AsSpan().SequenceEqual("unknown"u8))
            {
                labels.Add(LabelRank.Own, "__type__"u8, family.Type);
            }

            labels.Add(LabelRank.Own, "__unit__"u8, family.UnitLabel);
        }

        labels.Settle();
        return true;
    }

    private void AddSample(ReadOnlySpan<byte> name, ReadOnlySpan<byte> extraName, ReadOnlySpan<byte> extraValue, long timeMs, double value)
    {
        load.AddSamples(1);
        Begin(name, extraName, extraValue);
        sink.Add(timeMs, value);
    }

    private void Begin(ReadOnlySpan<byte> name, ReadOnlySpan<byte> extraName, ReadOnlySpan<byte> extraValue)
    {
        labels.WriteTo(raw, name, extraName, extraValue);
        load.AddLabels(raw.WrittenCount);
        sink.BeginSeries(raw.WrittenSpan);
        series++;
    }

    private long Seen(ulong unixNano)
    {
        var timeMs = (long)unixNano / NanosPerMs;
        earliestMs = Math.Min(earliestMs, timeMs);
        latestMs = Math.Max(latestMs, timeMs);
        return timeMs;
    }

    // 200 bytes tell what it is.
    private static string Shown(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text[..Math.Min(text.Length, 200)]);
}
