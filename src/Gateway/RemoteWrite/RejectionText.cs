using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Limits;
using Metrics.Model;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Says what of a write was refused and why, in the words that Prometheus and Mimir use, so that alerts and people recognise them.</summary>
internal static class RejectionText
{
    /// <summary>Characters of an example that are shown; label values may be long.</summary>
    private const int MaxExample = 500;

    /// <summary>One line for all refusals of a request.</summary>
    public static string Of(IReadOnlyList<Rejection> rejections, long accepted, TenantId tenant, TenantLimits limits)
    {
        var text = new StringBuilder();
        var refused = 0L;
        foreach (var rejection in rejections)
        {
            refused += rejection.Count;
        }

        text.Append($"{refused} samples refused, {accepted} stored");
        foreach (var rejection in rejections)
        {
            var example = rejection.Example.Length <= MaxExample ? rejection.Example : rejection.Example[..MaxExample] + "...";
            text.Append($"; {Words(rejection.Reason, tenant, limits)}: {rejection.Count}, first {example}");
        }

        return text.Append('\n').ToString();
    }

    /// <summary>True when series were refused because the tenant has too many: later it may have fewer.</summary>
    public static bool IsFull(IReadOnlyList<Rejection> rejections)
    {
        foreach (var rejection in rejections)
        {
            if (rejection.Reason is RejectReason.TooManySeries or RejectReason.TooManySeriesOfMetric)
            {
                return true;
            }
        }

        return false;
    }

    private static string Words(RejectReason reason, TenantId tenant, TenantLimits limits) => reason switch
    {
        RejectReason.OutOfOrder => "out of order sample",
        RejectReason.TooOld => "too old sample",
        RejectReason.DuplicateTimestamp => "duplicate sample for timestamp",
        RejectReason.TooFarInFuture => "out of bounds: timestamp is too far in the future",
        RejectReason.MissingMetricName => "missing metric name",
        RejectReason.DuplicateLabelName => "duplicate label name",
        RejectReason.EmptyLabelName => "empty label name",
        RejectReason.InvalidUtf8 => "label is not valid UTF-8",
        RejectReason.LabelNameTooLong => "label name too long",
        RejectReason.LabelValueTooLong => "label value too long",
        RejectReason.TooManyLabels => "too many labels",
        RejectReason.TooManySeries => $"tenant {tenant} exceeds its limit max_global_series_per_user of {limits.MaxGlobalSeriesPerUser} active series (err-mimir-max-series-per-user)",
        RejectReason.TooManySeriesOfMetric => $"tenant {tenant} exceeds its limit max_global_series_per_metric of {limits.MaxGlobalSeriesPerMetric} active series of a metric (err-mimir-max-series-per-metric)",
        RejectReason.InvalidTenant => "invalid tenant",
        RejectReason.InvalidHistogram => "invalid native histogram",
        RejectReason.InvalidTemporality => "invalid temporality",
        RejectReason.InvalidName => "invalid name",
        _ => reason.ToString(),
    };
}
