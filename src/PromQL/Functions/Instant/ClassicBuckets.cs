namespace Metrics.PromQL.Functions;

/// <summary>The buckets of one classic histogram at one step: upper bounds and cumulative counts.</summary>
/// <remarks>promql/quantile.go. Reused from step to step; not thread-safe.</remarks>
internal sealed class ClassicBuckets
{
    /// <summary>Differences below this share are taken for errors of floating-point arithmetic, and ignored.</summary>
    private const double SmallDelta = 1e-12;

    /// <summary>The smallest normal number of Go's <c>math</c>.</summary>
    private const double MinNormal = 2.2250738585072014e-308;

    private (double Bound, double Count)[] buckets = new (double, double)[16];

    /// <summary>The number of buckets.</summary>
    public int Count { get; private set; }

    /// <summary>Forgets all buckets.</summary>
    public void Clear() => Count = 0;

    /// <summary>Adds a bucket; any order, bounds may repeat.</summary>
    public void Add(double bound, double count)
    {
        if (Count == buckets.Length)
        {
            Array.Resize(ref buckets, Count * 2);
        }

        buckets[Count++] = (bound, count);
    }

    /// <summary>The quantile; <paramref name="lifted"/> tells where falling counts had to be lifted.</summary>
    public double Quantile(double q, out LiftedBuckets lifted)
    {
        lifted = LiftedBuckets.None;
        if (double.IsNaN(q))
        {
            return double.NaN;
        }

        if (q is < 0 or > 1)
        {
            return q < 0 ? double.NegativeInfinity : double.PositiveInfinity;
        }

        if (!SortAndMerge())
        {
            return double.NaN;
        }

        lifted = LiftFalling();
        var observations = buckets[Count - 1].Count;
        if (Count < 2 || observations == 0)
        {
            return double.NaN;
        }

        var rank = q * observations;
        var b = FirstReaching(rank);
        if (b == Count - 1)
        {
            return buckets[b - 1].Bound;
        }

        if (b == 0)
        {
            return buckets[0].Bound <= 0 ? buckets[0].Bound : buckets[0].Bound * (rank / buckets[0].Count);
        }

        var (start, below) = buckets[b - 1];
        return start + ((buckets[b].Bound - start) * ((rank - below) / (buckets[b].Count - below)));
    }

    /// <summary>The share of observations between two bounds.</summary>
    public double Fraction(double lower, double upper)
    {
        if (!SortAndMerge())
        {
            return double.NaN;
        }

        var all = buckets[Count - 1].Count;
        if (all == 0 || double.IsNaN(lower) || double.IsNaN(upper))
        {
            return double.NaN;
        }

        return lower >= upper ? 0 : (RankOf(upper, all) - RankOf(lower, all)) / all;
    }

    private double RankOf(double value, double all)
    {
        // Buckets above zero begin at zero.
        var start = buckets[0].Bound <= 0 ? double.NegativeInfinity : 0;
        double rank = 0;
        for (var i = 0; i < Count; i++)
        {
            var (end, count) = buckets[i];
            if (start >= value)
            {
                return Math.Min(rank, all);
            }

            if (end > value)
            {
                // Nothing can be told about the inside of a bucket without a lower end.
                return Math.Min(double.IsNegativeInfinity(start) ? count : rank + ((count - rank) * (value - start) / (end - start)), all);
            }

            (start, rank) = (end, count);
        }

        return all;
    }

    /// <summary>Orders by bound and adds up equal bounds; false when the last bound is not +Inf.</summary>
    private bool SortAndMerge()
    {
        Array.Sort(buckets, 0, Count, ByBound.Instance);
        if (!double.IsPositiveInfinity(buckets[Count - 1].Bound))
        {
            return false;
        }

        var kept = 0;
        for (var i = 1; i < Count; i++)
        {
            if (buckets[i].Bound == buckets[kept].Bound)
            {
                buckets[kept].Count += buckets[i].Count;
            }
            else
            {
                buckets[++kept] = buckets[i];
            }
        }

        Count = kept + 1;
        return true;
    }

    private LiftedBuckets LiftFalling()
    {
        var lifted = LiftedBuckets.None;
        var before = buckets[0].Count;
        for (var i = 1; i < Count; i++)
        {
            var (bound, count) = buckets[i];
            if (count == before)
            {
                continue;
            }

            if (AlmostEqual(before, count))
            {
                buckets[i].Count = before;
            }
            else if (count < before)
            {
                buckets[i].Count = before;
                lifted = lifted.And(new(true, bound, bound, before - count));
            }
            else
            {
                before = count;
            }
        }

        return lifted;
    }

    private int FirstReaching(double rank)
    {
        var (low, high) = (0, Count - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (buckets[middle].Count >= rank)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }

    private static bool AlmostEqual(double a, double b)
    {
        var sum = Math.Abs(a) + Math.Abs(b);
        var difference = Math.Abs(a - b);
        return a == 0 || b == 0 || sum < MinNormal ? difference < SmallDelta * MinNormal : difference / Math.Min(sum, double.MaxValue) < SmallDelta;
    }

    private sealed class ByBound : IComparer<(double Bound, double Count)>
    {
        public static readonly ByBound Instance = new();

        public int Compare((double Bound, double Count) x, (double Bound, double Count) y) => x.Bound.CompareTo(y.Bound);
    }
}

/// <summary>Where counts of buckets had to be lifted because they fell with a growing bound.</summary>
/// <param name="Any">False when none had to.</param>
/// <param name="MinBound">The lowest such bucket.</param>
/// <param name="MaxBound">The highest.</param>
/// <param name="MaxDifference">The most by which one was lifted.</param>
internal readonly record struct LiftedBuckets(bool Any, double MinBound, double MaxBound, double MaxDifference)
{
    /// <summary>None.</summary>
    public static readonly LiftedBuckets None = new(false, double.PositiveInfinity, double.NegativeInfinity, 0);

    /// <summary>Both together.</summary>
    public LiftedBuckets And(in LiftedBuckets other) => new(
        Any || other.Any, Math.Min(MinBound, other.MinBound), Math.Max(MaxBound, other.MaxBound), Math.Max(MaxDifference, other.MaxDifference));
}
