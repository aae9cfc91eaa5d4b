using Metrics.Model;

namespace Metrics.Storage;

/// <summary>A sample's example: usually the trace of one request that it counted.</summary>
/// <param name="Series">The reference of the series.</param>
/// <param name="TimeMs">Unix milliseconds.</param>
/// <param name="Value">What was measured.</param>
/// <param name="Labels">The exemplar's own labels.</param>
public readonly record struct Exemplar(uint Series, long TimeMs, double Value, Labels Labels);

/// <summary>The newest exemplars of a shard, as many as fit; a new one takes the place of the oldest that came. Thread-safe.</summary>
/// <remarks>As Prometheus's circular buffer: per series in order, what is older than the newest of its series is dropped, and the newest sent again is known.</remarks>
public sealed class ExemplarRing(int capacity)
{
    private readonly Lock gate = new();
    private readonly Dictionary<uint, Exemplar> newest = [];
    private readonly Queue<Exemplar> held = new();

    /// <summary>Takes an exemplar; false when it is older than the newest of its series, or none are kept.</summary>
    /// <param name="exemplar">The exemplar.</param>
    /// <param name="isNew">False when it was there already.</param>
    public bool Add(in Exemplar exemplar, out bool isNew)
    {
        isNew = false;
        if (capacity == 0)
        {
            return false;
        }

        lock (gate)
        {
            if (newest.TryGetValue(exemplar.Series, out var last))
            {
                if (last == exemplar)
                {
                    return true;
                }

                if (exemplar.TimeMs <= last.TimeMs)
                {
                    return false;
                }
            }

            if (held.Count == capacity)
            {
                var oldest = held.Dequeue();
                if (newest[oldest.Series] == oldest)
                {
                    newest.Remove(oldest.Series);
                }
            }

            held.Enqueue(exemplar);
            newest[exemplar.Series] = exemplar;
            isNew = true;
            return true;
        }
    }

    /// <summary>Takes out those whose series a head does not know any more, in the order they came.</summary>
    public List<Exemplar> TakeOut(Head head)
    {
        lock (gate)
        {
            var (kept, taken) = (new List<Exemplar>(), new List<Exemplar>());
            foreach (var exemplar in held)
            {
                (head.IsKnown(exemplar.Series) ? kept : taken).Add(exemplar);
            }

            if (taken.Count > 0)
            {
                held.Clear();
                kept.ForEach(held.Enqueue);
                taken.ForEach(e => newest.Remove(e.Series));
            }

            return taken;
        }
    }

    /// <summary>The exemplars in a range, in the order they came.</summary>
    public List<Exemplar> Read(TimeRange range)
    {
        lock (gate)
        {
            return [.. held.Where(e => range.Contains(e.TimeMs))];
        }
    }
}
