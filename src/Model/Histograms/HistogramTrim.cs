namespace Metrics.Model;

/// <summary>What a cut keeps of each bucket, and the totals of what is kept.</summary>
/// <remarks>Interpolation is linear in custom and zero buckets, else logarithmic; the sum takes the middle of what survives (geometric in exponential buckets).</remarks>
internal ref struct HistogramTrim(double bound, bool isUpper, bool linear)
{
    /// <summary>True when something was cut.</summary>
    public bool Changed { get; private set; }

    /// <summary>The count kept.</summary>
    public double Count { get; private set; }

    /// <summary>The estimated sum of what is kept.</summary>
    public double Sum { get; private set; }

    /// <summary>Cuts the buckets of one sign; true when any was populated.</summary>
    public bool Apply(BucketSequence sequence, double[] buckets, bool positive)
    {
        var populated = false;
        while (sequence.MoveNext())
        {
            var bucket = sequence.Current;
            if (bucket.Count == 0)
            {
                continue;
            }

            populated = true;
            var kept = Keep(bucket, positive, out var middle);
            Count += kept;
            Sum += kept == 0 && double.IsInfinity(middle) ? 0 : middle * kept;
            if (kept != bucket.Count)
            {
                buckets[sequence.Position] = kept;
                Changed = true;
            }
        }

        return populated;
    }

    /// <summary>Cuts the zero bucket, which reaches only to the sides that have buckets, when just one has.</summary>
    public double KeepOfZero(in HistogramBucket zero, bool hasNegative, bool hasPositive)
    {
        var lower = hasPositive && !hasNegative ? 0 : zero.Lower;
        var upper = hasNegative && !hasPositive ? 0 : zero.Upper;
        var (keptLower, keptUpper) = isUpper ? (lower, Math.Min(bound, upper)) : (Math.Max(bound, lower), upper);
        var all = isUpper ? bound >= upper && bound > lower : bound <= lower;
        var none = isUpper ? bound <= lower : bound >= upper && bound > lower;
        var kept = all ? zero.Count : none ? 0 : zero.Count * ((keptUpper - keptLower) / (upper - lower));
        Changed |= kept != zero.Count;
        Count += kept;
        Sum += none ? 0 : (keptLower + keptUpper) / 2 * kept;
        return kept;
    }

    private readonly double Keep(in HistogramBucket bucket, bool positive, out double middle)
    {
        if (isUpper ? bucket.Upper <= bound : bucket.Lower >= bound)
        {
            middle = Middle(bucket.Lower, bucket.Upper, positive);
            return bucket.Count;
        }

        middle = 0;
        if (!(isUpper ? bucket.Lower < bound : bucket.Upper > bound))
        {
            return 0;
        }

        if (double.IsNegativeInfinity(bucket.Lower))
        {
            return KeepOfLowest(bucket, out middle);
        }

        if (double.IsPositiveInfinity(bucket.Upper))
        {
            // Nothing is known of how far up observations lie: cutting above keeps none, cutting below keeps all.
            middle = bound;
            return !isUpper && bound >= bucket.Lower ? bucket.Count : 0;
        }

        var below = bound <= bucket.Lower ? 0 : bound >= bucket.Upper ? bucket.Count : bucket.Count * bucket.FractionBelow(bound, linear);
        middle = isUpper ? Middle(bucket.Lower, bound, positive) : Middle(bound, bucket.Upper, positive);
        return isUpper ? below : bucket.Count - below;
    }

    // A bucket from -Inf counts from 0 when it ends above 0; else all of it lies at the bound, or none is known to be kept.
    private readonly double KeepOfLowest(in HistogramBucket bucket, out double middle)
    {
        var finite = !double.IsPositiveInfinity(bucket.Upper);
        middle = 0;
        if (isUpper)
        {
            if (bound > 0 && bucket.Upper > 0 && finite)
            {
                middle = bound / 2;
                return bucket.Count * bound / bucket.Upper;
            }

            middle = bound;
            return bucket.Upper <= 0 ? bucket.Count : 0;
        }

        if (bound <= bucket.Lower)
        {
            return bucket.Count;
        }

        if (bound >= 0 && bucket.Upper > bound && finite)
        {
            middle = (bound + bucket.Upper) / 2;
            return bucket.Count * (1 - (bound / bucket.Upper));
        }

        return 0;
    }

    private readonly double Middle(double lower, double upper, bool positive)
    {
        if (double.IsInfinity(lower))
        {
            return double.IsInfinity(upper) ? 0 : upper > 0 ? upper / 2 : upper;
        }

        if (double.IsInfinity(upper))
        {
            return lower;
        }

        if (linear)
        {
            return (lower + upper) / 2;
        }

        var mean = Math.Sqrt(Math.Abs(lower * upper));
        return positive ? mean : -mean;
    }
}
