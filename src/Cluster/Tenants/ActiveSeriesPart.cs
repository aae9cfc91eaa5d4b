using System.Text;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>One shard's part of its tenant's active series. Under the shard's appending lock.</summary>
internal sealed class ActiveSeriesPart(ActiveSeries tenant)
{
    // Counted while there is a bound, and from the opening until it is known that there is none.
    private readonly Dictionary<string, long> metrics = new(StringComparer.Ordinal);
    private bool isCounted;
    private long settled;

    /// <summary>True when no series can be made.</summary>
    public bool IsFull => tenant.IsFull;

    /// <summary>Takes a place for a series that the head does not have; <see cref="RejectReason.None"/> when there is one.</summary>
    public RejectReason Take(Head head, ReadOnlySpan<byte> canonicalLabels)
    {
        var limits = tenant.Limits;
        Follow(head, limits);
        if (!tenant.TryTake(limits.MaxSeries))
        {
            return RejectReason.TooManySeries;
        }

        settled++;
        if (isCounted && !TryTakeOfMetric(Labels.FromEncoded(canonicalLabels)[Labels.MetricName], limits.MaxSeriesPerMetric))
        {
            settled--;
            tenant.Return();
            return RejectReason.TooManySeriesOfMetric;
        }

        return RejectReason.None;
    }

    /// <summary>Takes in the series of a head that was opened.</summary>
    public void Open(Head head)
    {
        CarryTo(head.SeriesCount);
        Count(head);
    }

    /// <summary>Brings the part in step with a head that gave series up.</summary>
    public void Settle(Head head)
    {
        tenant.Change(head.SeriesCount - settled);
        settled = head.SeriesCount;
        Count(head);
    }

    /// <summary>Counts metrics from now on, or no more, as the bounds have it; to be called now and then, so that a bound that is new holds over all shards.</summary>
    public void Follow(Head head) => Follow(head, tenant.Limits);

    /// <summary>Gives the whole part back.</summary>
    public void Clear()
    {
        CarryTo(0);
        Uncount();
    }

    private void Follow(Head head, SeriesLimits limits)
    {
        if (limits.MaxSeriesPerMetric > 0 && !isCounted)
        {
            Count(head);
        }
        else if (limits.MaxSeriesPerMetric == 0 && isCounted)
        {
            Uncount();
        }
    }

    private void Count(Head head)
    {
        var counts = head.CountBy(Encoding.UTF8.GetBytes(Labels.MetricName));
        foreach (var gone in metrics.Keys.Where(m => !counts.ContainsKey(m)).ToArray())
        {
            SettleMetric(gone, 0);
            metrics.Remove(gone);
        }

        foreach (var (metric, count) in counts)
        {
            SettleMetric(metric, count);
        }

        isCounted = true;
    }

    private void Uncount()
    {
        foreach (var (metric, count) in metrics)
        {
            tenant.Change(metric, -count);
        }

        metrics.Clear();
        isCounted = false;
    }

    private bool TryTakeOfMetric(string metric, long most)
    {
        if (!tenant.TryTake(metric, most))
        {
            return false;
        }

        metrics[metric] = metrics.GetValueOrDefault(metric) + 1;
        return true;
    }

    private void CarryTo(long count)
    {
        tenant.Carry(count - settled);
        settled = count;
    }

    private void SettleMetric(string metric, long count)
    {
        tenant.Change(metric, count - metrics.GetValueOrDefault(metric));
        metrics[metric] = count;
    }
}
