using System.Text;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>One shard's part of its tenant's active series. Under the shard's appending lock.</summary>
internal sealed class ActiveSeriesPart(ActiveSeries tenant)
{
    // Counted only for metrics that new series came for while there was a bound.
    private readonly Dictionary<string, long> metrics = new(StringComparer.Ordinal);
    private long settled;

    /// <summary>True when no series can be made.</summary>
    public bool IsFull => tenant.IsFull;

    /// <summary>Takes a place for a series that the head does not have; <see cref="RejectReason.None"/> when there is one.</summary>
    public RejectReason Take(Head head, ReadOnlySpan<byte> canonicalLabels)
    {
        var limits = tenant.Limits;
        if (!tenant.TryTake(limits.MaxSeries))
        {
            return RejectReason.TooManySeries;
        }

        settled++;
        if (limits.MaxSeriesPerMetric > 0 && !TryTakeOfMetric(head, Labels.FromEncoded(canonicalLabels)[Labels.MetricName], limits.MaxSeriesPerMetric))
        {
            settled--;
            tenant.Change(-1);
            return RejectReason.TooManySeriesOfMetric;
        }

        return RejectReason.None;
    }

    /// <summary>Brings the part in step with a head that was opened, or gave series up.</summary>
    public void Settle(Head head)
    {
        SettleTo(head.SeriesCount);
        foreach (var metric in metrics.Keys.ToArray())
        {
            SettleMetric(metric, CountOf(head, metric));
        }
    }

    /// <summary>Gives the whole part back.</summary>
    public void Clear()
    {
        SettleTo(0);
        foreach (var metric in metrics.Keys.ToArray())
        {
            SettleMetric(metric, 0);
        }
    }

    private bool TryTakeOfMetric(Head head, string metric, long most)
    {
        if (!metrics.ContainsKey(metric))
        {
            SettleMetric(metric, CountOf(head, metric));
        }

        if (!tenant.TryTake(metric, most))
        {
            return false;
        }

        metrics[metric]++;
        return true;
    }

    private void SettleTo(long count)
    {
        tenant.Change(count - settled);
        settled = count;
    }

    private void SettleMetric(string metric, long count)
    {
        tenant.Change(metric, count - metrics.GetValueOrDefault(metric));
        metrics[metric] = count;
    }

    private static long CountOf(Head head, string metric) => head.CountWith(Encoding.UTF8.GetBytes(Labels.MetricName), Encoding.UTF8.GetBytes(metric));
}
