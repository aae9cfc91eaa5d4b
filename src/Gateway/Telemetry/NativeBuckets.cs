namespace Metrics.Gateway.Telemetry;

/// <summary>The buckets of a native histogram of schema 3: eight to a doubling, so that a quantile is off by 4.5% at most. Not thread-safe.</summary>
/// <remarks>For durations in seconds from a microsecond to some two days; what is shorter is in the zero bucket, what is longer in the last. So memory is bounded: 2.5 KiB.</remarks>
internal sealed class NativeBuckets
{
    /// <summary>How fine: 2^<see cref="Schema"/> buckets to a doubling.</summary>
    public const int Schema = 3;

    /// <summary>What is not above it is in the zero bucket: 2^-20, about a microsecond.</summary>
    public const double ZeroThreshold = 1.0 / (1 << 20);

    private const int PerDoubling = 1 << Schema;

    /// <summary>The first bucket is (2^-20, 2^-19.875].</summary>
    private const int FirstIndex = (-20 * PerDoubling) + 1;
    private const int LastIndex = 17 * PerDoubling;
    private const double Longest = 1 << 17;

    /// <summary>The upper bounds of the buckets between 0.5 and 1.</summary>
    private static readonly double[] bounds = [.. Enumerable.Range(1, PerDoubling).Select(static i => Math.Pow(2, (i / (double)PerDoubling) - 1))];

    private readonly long[] counts = new long[LastIndex - FirstIndex + 1];

    /// <summary>Observations that are nearly zero, zero or less.</summary>
    public long ZeroCount { get; private set; }

    /// <summary>Counts an observation.</summary>
    public void Observe(double value)
    {
        if (!(value > ZeroThreshold))
        {
            ZeroCount++;
            return;
        }

        counts[(value < Longest ? IndexOf(value) : LastIndex) - FirstIndex]++;
    }

    /// <summary>A copy.</summary>
    public NativeBuckets Copy()
    {
        var copy = new NativeBuckets { ZeroCount = ZeroCount };
        counts.CopyTo(copy.counts, 0);
        return copy;
    }

    /// <summary>The buckets in which something was observed, by index: bucket i holds what is above 2^((i-1)/8), up to 2^(i/8).</summary>
    public IEnumerable<(int Index, long Count)> Filled()
    {
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] > 0)
            {
                yield return (i + FirstIndex, counts[i]);
            }
        }
    }

    /// <summary>The index of the bucket of a value above zero.</summary>
    internal static int IndexOf(double value)
    {
        // value = fraction * 2^exponent with the fraction in (0.5, 1]; a power of two is the upper bound of its bucket.
        var exponent = Math.ILogB(value) + 1;
        var fraction = Math.ScaleB(value, -exponent);
        if (fraction == 0.5)
        {
            exponent--;
            fraction = 1;
        }

        var at = 0;
        while (bounds[at] < fraction)
        {
            at++;
        }

        return at + 1 + ((exponent - 1) * PerDoubling);
    }
}
