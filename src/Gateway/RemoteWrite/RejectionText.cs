using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Limits;
using Metrics.Model;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Says what of a write was refused and why, in the words that Prometheus and Mimir use, so that alerts and people recognise them.</summary>
internal static class RejectionText
{
    /// <summary>Characters of an example that are shown; label values may be long.</summary>
    private const int MaxExample = 500;

    /// <summary>One line for all refusals of a request; empty when nothing was refused.</summary>
    /// <param name="parts">What was refused of each tenant.</param>
    /// <param name="accepted">Samples stored.</param>
    /// <param name="own">The request's own tenant, which needs no naming.</param>
    /// <param name="general">The limits of all tenants.</param>
    public static string Of(IReadOnlyList<(TenantId Tenant, TenantLimits Limits, IReadOnlyList<Rejection> Rejections)> parts, long accepted, TenantId own, RemoteWriteOptions general)
    {
        var text = new StringBuilder();
        var refused = 0L;
        foreach (var (tenant, limits, rejections) in parts)
        {
            foreach (var rejection in rejections)
            {
                refused += rejection.Samples;
                var example = rejection.Example.Length <= MaxExample ? rejection.Example : rejection.Example[..MaxExample] + "...";
                text.Append($"; {(tenant == own ? "" : $"tenant {tenant}: ")}{Words(rejection.Reason, tenant, limits, general)}: {rejection.Count}, first {example}");
            }
        }

        return text.Length == 0 ? "" : $"{refused} samples refused, {accepted} stored{text}";
    }

    /// <summary>The status of the answer to a write: 204 when all of it is durable, 202 when the sender is not elected, 429 when it may be taken whole later, 400 when it never can.</summary>
    /// <param name="outcome">What became of it.</param>
    /// <param name="hasBadLines">Whether some of it could not be read.</param>
    public static int StatusOf(WriteOutcome outcome, bool hasBadLines = false) =>
        IsFull(outcome.Rejections) ? StatusCodes.Status429TooManyRequests
            : outcome.Rejections.Count > 0 || hasBadLines ? StatusCodes.Status400BadRequest
            : outcome.IsShut ? StatusCodes.Status202Accepted : StatusCodes.Status204NoContent;

    /// <summary>True when all that was refused are series of which the tenant has too many: later it may have fewer. With anything else among it the request can never be taken whole, so that repeating it makes no sense.</summary>
    private static bool IsFull(IReadOnlyList<Rejection> rejections) =>
        rejections.Count > 0 && rejections.All(static r => r.Reason is RejectReason.TooManySeries or RejectReason.TooManySeriesOfMetric);

    /// <summary>True when all that was refused are samples which disagree with what is stored, or are of a time that is not taken.</summary>
    public static bool IsConflict(IReadOnlyList<Rejection> rejections) =>
        rejections.Count > 0 && rejections.All(static r => r.Reason is RejectReason.OutOfOrder or RejectReason.TooOld or RejectReason.DuplicateTimestamp or RejectReason.TooFarInFuture);

    private static string Words(RejectReason reason, TenantId tenant, TenantLimits limits, RemoteWriteOptions general) => reason switch
    {
        RejectReason.OutOfOrder => "out of order sample",
        RejectReason.TooOld => "too old sample",
        RejectReason.DuplicateTimestamp => "duplicate sample for timestamp",
        RejectReason.TooFarInFuture => "out of bounds: timestamp is too far in the future",
        RejectReason.MissingMetricName => "missing metric name",
        RejectReason.DuplicateLabelName => "duplicate label name",
        RejectReason.EmptyLabelName => "empty label name",
        RejectReason.InvalidUtf8 => "label is not valid UTF-8",
        RejectReason.LabelNameTooLong => $"label name too long, {InForce("max_label_name_length", limits.MaxLabelNameLength, "max_label_name", general.MaxLabelName.Bytes, tenant)} bytes (err-mimir-label-name-too-long)",
        RejectReason.LabelValueTooLong => $"label value too long, {InForce("max_label_value_length", limits.MaxLabelValueLength, "max_label_value", general.MaxLabelValue.Bytes, tenant)} bytes (err-mimir-label-value-too-long)",
        RejectReason.TooManyLabels => $"too many labels, {InForce("max_label_names_per_series", limits.MaxLabelNamesPerSeries, "max_labels", general.MaxLabels, tenant)} labels (err-mimir-max-label-names-per-series)",
        RejectReason.TooManySeries => $"tenant {tenant} exceeds its limit max_global_series_per_user of {limits.MaxGlobalSeriesPerUser} active series (err-mimir-max-series-per-user)",
        RejectReason.TooManySeriesOfMetric => $"tenant {tenant} exceeds its limit max_global_series_per_metric of {limits.MaxGlobalSeriesPerMetric} active series of a metric (err-mimir-max-series-per-metric)",
        RejectReason.MetadataTooLong => $"metadata with a name or unit too long, limit max_metadata_length of tenant {tenant} is {limits.MaxMetadataLength} characters",
        RejectReason.InvalidTenant => "invalid tenant",
        RejectReason.InvalidHistogram => "invalid native histogram",
        RejectReason.InvalidTemporality => "invalid temporality",
        RejectReason.InvalidName => "invalid name",
        _ => reason.ToString(),
    };

    /// <summary>The stricter of a tenant's limit, 0 for none, and that of all.</summary>
    private static string InForce(string ownName, long own, string generalName, long general, TenantId tenant) =>
        own > 0 && own < general ? $"limit {ownName} of tenant {tenant} is {own}" : $"limit remote_write.{generalName} (for tenant {tenant} as for all) is {general}";
}
