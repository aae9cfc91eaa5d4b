namespace Metrics.Cluster;

/// <summary>Bounds on the series of a tenant that its heads hold, over all its shards. 0 for none.</summary>
/// <param name="MaxSeries">Active series.</param>
/// <param name="MaxSeriesPerMetric">Active series of one metric.</param>
public readonly record struct SeriesLimits(long MaxSeries, long MaxSeriesPerMetric);
