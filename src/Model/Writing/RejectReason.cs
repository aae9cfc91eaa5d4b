namespace Metrics.Model;

/// <summary>Why a sample was refused for good: retrying it unchanged can never succeed.</summary>
public enum RejectReason : byte
{
    /// <summary>Not refused.</summary>
    None = 0,

    /// <summary>Older than the newest sample of its series, and out-of-order samples are not taken.</summary>
    OutOfOrder,

    /// <summary>Older than the out-of-order window reaches.</summary>
    TooOld,

    /// <summary>The series has another value at the same instant.</summary>
    DuplicateTimestamp,

    /// <summary>Further in the future than clocks may differ.</summary>
    TooFarInFuture,

    /// <summary>The series has no <c>__name__</c>.</summary>
    MissingMetricName,

    /// <summary>A label name appears twice.</summary>
    DuplicateLabelName,

    /// <summary>A label name is empty.</summary>
    EmptyLabelName,

    /// <summary>A label name or value is not UTF-8.</summary>
    InvalidUtf8,

    /// <summary>A label name exceeds the limit.</summary>
    LabelNameTooLong,

    /// <summary>A label value exceeds the limit.</summary>
    LabelValueTooLong,

    /// <summary>The series has more labels than the limit.</summary>
    TooManyLabels,

    /// <summary>A native histogram is malformed.</summary>
    InvalidHistogram,

    /// <summary>The series is new, and the tenant has as many active ones as it may.</summary>
    TooManySeries,

    /// <summary>The series is new, and the tenant has as many active ones of its metric as it may.</summary>
    TooManySeriesOfMetric,

    /// <summary>The label that names the tenant holds no name of one.</summary>
    InvalidTenant,

    /// <summary>A data point of OTLP counts since the point before, or does not say since when.</summary>
    InvalidTemporality,

    /// <summary>Nothing usable is left of a metric's or label's name when it is translated.</summary>
    InvalidName,

    /// <summary>The series is left out on purpose, by relabelling or because another replica's samples are taken. No error: it is not reported to the sender.</summary>
    LeftOut,

    /// <summary>No sample's: the metadata of a family has a longer name or unit than the limit.</summary>
    MetadataTooLong,
}
