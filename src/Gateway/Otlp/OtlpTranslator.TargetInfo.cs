using Metrics.Cluster;
using Metrics.Gateway.RemoteWrite;
using Metrics.Wire;

namespace Metrics.Gateway.Otlp;

/// <summary>The series target_info: what is known of a resource, beside what makes job and instance.</summary>
internal sealed partial class OtlpTranslator
{
    /// <summary>Samples of target_info for one resource of one request; at the default interval 42 hours. Prometheus has no bound, and a point at time 0 costs it ten million.</summary>
    private const int MaxTargetInfos = 1000;

    private static readonly MetricMetadata targetMetadata = new("gauge", "Target metadata", "");

    private void AddTargetInfo(OtlpResourceView view)
    {
        if (!resource.HasMore || (resource.Job.IsEmpty && resource.Instance.IsEmpty))
        {
            return;
        }

        labels.Clear();
        labels.Add(LabelRank.Own, "job"u8, resource.Job);
        labels.Add(LabelRank.Own, "instance"u8, resource.Instance);
        foreach (var attribute in view.Attributes)
        {
            if (settings.KeepIdentifying || !OtlpResource.IsIdentifying(attribute.Key))
            {
                AddInfo(attribute);
            }
        }

        labels.Settle();
        sink.Describe("target_info", targetMetadata);
        Begin("target_info"u8, default, default);
        var interval = settings.TargetInfoIntervalMs;
        var timeMs = latestMs - earliestMs > interval * MaxTargetInfos || latestMs < earliestMs ? latestMs - (interval * MaxTargetInfos) : earliestMs;
        for (; timeMs < latestMs; timeMs += interval)
        {
            load.AddSamples(1);
            sink.Add(timeMs, 1);
        }

        load.AddSamples(1);
        sink.Add(latestMs, 1);
    }

    private void AddInfo(OtlpAttribute attribute)
    {
        // A key that comes to no name is left out: target_info is worth having without it.
        var name = labelNames.Of(attribute.Key);
        if (!name.IsEmpty)
        {
            scratch.ResetWrittenCount();
            labels.Add(LabelRank.Attribute, name, attribute.Key, attribute.Value.ToText(scratch));
        }
    }
}
