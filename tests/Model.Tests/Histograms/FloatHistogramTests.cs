using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Metrics.Model.Tests.Histograms;

public class FloatHistogramTests
{
    [Fact]
    public void AdditionCommutes() => ForPairs((a, b, seed) => AssertClose(a.Copy().Add(b), b.Copy().Add(a), seed));

    [Fact]
    public void SubtractionUndoesAdditionOfLikeLayouts() => ForPairs((a, b, seed) =>
    {
        b = b.CopyToSchema(Math.Min(a.Schema, b.Schema));
        a = a.CopyToSchema(b.Schema);
        b.ZeroThreshold = a.ZeroThreshold;
        AssertClose(a, a.Copy().Add(b).Subtract(b), seed);
    });

    [Fact]
    public void CompensatedSumEqualsPlainSum() => ForPairs((a, b, seed) =>
    {
        FloatHistogram? compensation = null;
        var sum = a.Copy();
        Assert.True(sum.TryAddCompensated(b, ref compensation, out _));
        Assert.True(sum.TryAddCompensated(a, ref compensation, out _));
        AssertClose(a.Copy().Add(b).Add(a), sum.Add(compensation!), seed);
    });

    [Fact]
    public void GrowthIsNoResetAndShrinkingIsOne() => ForPairs((a, b, seed) =>
    {
        var sum = a.Copy().Add(b);
        Assert.False(sum.DetectReset(a), $"seed {seed}: {a} then {sum}");
        if (b.Count > 0 && sum.Schema == a.Schema && sum.ZeroThreshold == a.ZeroThreshold)
        {
            Assert.True(a.DetectReset(sum), $"seed {seed}");
        }
    });

    [Fact]
    public void OperandsStayAsTheyWere() => ForPairs((a, b, seed) =>
    {
        var before = (a.Copy(), b.Copy());
        a.Copy().Add(b).Multiply(2).Compact(0).TrimBuckets(1, true);
        Assert.True(a.HasSameDataAs(before.Item1, true) && b.HasSameDataAs(before.Item2, true), $"seed {seed}");
    });

    [Fact]
    public void CompactionAndReductionKeepCounts() => ForPairs((a, _, seed) =>
    {
        var total = Total(a);
        Assert.Equal(total, Total(a.Copy().Compact(0)), 6);
        Assert.Equal(total, Total(a.Copy().Compact(3)), 6);
        Assert.Equal(total, Total(a.Copy().ReduceResolution(-4)), 6);
        Assert.True(a.Copy().Compact(2).TryValidate(out var error), $"seed {seed}: {error}");
    });

    [Fact]
    public void AllBucketsAscendAndDescendingIsTheirReverse() => ForPairs((a, _, seed) =>
    {
        var up = new List<HistogramBucket>();
        foreach (var bucket in a.AllBuckets())
        {
            Assert.True(up.Count == 0 || up[^1].Upper <= bucket.Lower, $"seed {seed}");
            up.Add(bucket);
        }

        var down = new List<HistogramBucket>();
        foreach (var bucket in a.AllBucketsDescending())
        {
            down.Add(bucket);
        }

        down.Reverse();
        Assert.Equal(up, down);
    });

    [Fact]
    public void BoundsArePowersOfTheGrowthFactor()
    {
        Assert.Equal(1.414213562373095, HistogramBounds.Exponential(1, 1));
        Assert.Equal(0.9892280131939752, HistogramBounds.Exponential(-1, 6));
        Assert.Equal(0.5013556375251013 * 2, HistogramBounds.Exponential(1, 8));
        Assert.Equal(0.9972960560854698, HistogramBounds.Exponential(-1, 8));
        Assert.Equal(16, HistogramBounds.Exponential(1, -2));
        Assert.Equal(double.MaxValue, HistogramBounds.Exponential(1024, 0));
        Assert.Equal(double.PositiveInfinity, HistogramBounds.Exponential(1025, 0));
        Assert.Equal(double.MaxValue, HistogramBounds.Exponential(64, -4));
    }

    [Fact]
    public void DifferingCustomBoundsAreReconciledToTheSharedOnes()
    {
        var a = Custom([1, 2, 4], 1, 2, 3, 4);
        Assert.True(a.TryAdd(Custom([2, 3, 4], 10, 20, 30, 40), out var found));
        Assert.Equal(HistogramReconciliation.CustomBounds, found);
        Assert.Equal([2.0, 4.0], a.CustomValues);
        Assert.Equal([13.0, 53.0, 44.0], a.PositiveBuckets);
    }

    [Fact]
    public void ExponentialAndCustomBucketsDoNotAdd() =>
        Assert.False(new FloatHistogram().TryAdd(Custom([1], 1, 1), out _));

    [Fact]
    public void CollidingHintsBecomeUnknown()
    {
        var a = new FloatHistogram { CounterResetHint = CounterResetHint.Reset };
        a.TryAdd(new FloatHistogram { CounterResetHint = CounterResetHint.NotReset }, out var found);
        Assert.Equal((HistogramReconciliation.CounterResetCollision, CounterResetHint.Unknown), (found, a.CounterResetHint));
    }

    [Fact]
    public void TextIsThatOfPrometheus()
    {
        var histogram = new FloatHistogram
        {
            Count = 5,
            Sum = 1234567.5,
            ZeroCount = 1,
            ZeroThreshold = 0.001,
            PositiveSpans = [new(0, 1), new(1, 1)],
            PositiveBuckets = [2, 1],
            NegativeSpans = [new(1, 1)],
            NegativeBuckets = [1],
        };
        Assert.Equal("{count:5, sum:1.2345675e+06, [-2,-1):1, [-0.001,0.001]:1, (0.5,1]:2, (2,4]:1}", histogram.ToString());
        Assert.Equal("{{count:5 sum:1.2345675e+06 z_bucket:1 z_bucket_w:0.001 buckets:[2 0 1] n_offset:1 n_buckets:[1]}}", histogram.ToTestExpression());
    }

    [Theory]
    [InlineData(2, true, 3, 3.5)]
    [InlineData(2, false, 6, 18)]
    [InlineData(3, true, 6, 11)]
    public void TrimmingCustomBucketsInterpolatesLinearly(double bound, bool isUpper, double count, double sum)
    {
        // (-Inf,1]:1 about 0.5, (1,2]:2 about 1.5, (2,4]:6 about 3, of which up to 3 are 3 about 2.5.
        var trimmed = Custom([1, 2, 4], 1, 2, 6, 0).TrimBuckets(bound, isUpper);
        Assert.Equal(count, trimmed.Count, 9);
        Assert.Equal(sum, trimmed.Sum, 9);
    }

    [Fact]
    public void AllBoundsAreThePublishedOnes()
    {
        var hash = 0UL;
        for (var i = 0; i < 256; i++)
        {
            hash = unchecked((hash * 31) + BitConverter.DoubleToUInt64Bits(HistogramBounds.Exponential(i - 256, 8)));
        }

        Assert.Equal(12463361609480722015UL, hash);
    }

    [Fact]
    public void ClassicBucketsBecomeCustomOnes()
    {
        var histogram = FloatHistogram.FromClassicBuckets([1, 2, double.PositiveInfinity], [3, 3, 10], null, 5);
        Assert.Equal("{count:10, sum:5, [-Inf,1]:3, (2,+Inf]:7}", histogram.ToString());
        Assert.Throws<ArgumentException>(() => FloatHistogram.FromClassicBuckets([1, 2], [3, 2], null, 5));
    }

    [Fact]
    public void FaultsAreNamed()
    {
        Assert.False(new FloatHistogram { PositiveSpans = [new(0, 2)], PositiveBuckets = [1] }.TryValidate(out var error));
        Assert.Equal("positive side: spans need 2 buckets, have 1 buckets: histogram spans specify different number of buckets than provided", error);
        Assert.False(new FloatHistogram { Schema = 9 }.TryValidate(out error));
        Assert.EndsWith("got schema 9", error, StringComparison.Ordinal);
        Assert.False(new FloatHistogram { PositiveSpans = [new(0, 1)], PositiveBuckets = [-1] }.TryValidate(out error));
    }

    private static FloatHistogram Custom(double[] bounds, params double[] buckets) => new FloatHistogram
    {
        Schema = FloatHistogram.CustomBucketsSchema,
        Count = buckets.Sum(),
        CustomValues = bounds,
        PositiveSpans = [new HistogramSpan(0, (uint)buckets.Length)],
        PositiveBuckets = buckets,
    };

    private static void ForPairs(Action<FloatHistogram, FloatHistogram, int> law) =>
        Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            var random = new Random(seed);
            law(Any(random), Any(random), seed);
        }));

    private static FloatHistogram Any(Random random)
    {
        var (positiveSpans, positive) = Side(random);
        var (negativeSpans, negative) = Side(random);
        var histogram = new FloatHistogram
        {
            Schema = random.Next(-2, 4),
            ZeroThreshold = random.Next(3) == 0 ? random.NextDouble() : 0.001,
            ZeroCount = random.Next(5),
            Sum = random.Next(-100, 100),
            PositiveSpans = positiveSpans,
            PositiveBuckets = positive,
            NegativeSpans = negativeSpans,
            NegativeBuckets = negative,
        };
        histogram.Count = Total(histogram);
        return histogram;
    }

    private static (HistogramSpan[] Spans, double[] Buckets) Side(Random random)
    {
        var spans = new HistogramSpan[random.Next(4)];
        for (var i = 0; i < spans.Length; i++)
        {
            spans[i] = new HistogramSpan(i == 0 ? random.Next(4, 12) : random.Next(4), (uint)random.Next(4));
        }

        var buckets = new double[spans.Sum(span => span.Length)];
        for (var i = 0; i < buckets.Length; i++)
        {
            buckets[i] = random.Next(4);
        }

        return (spans, buckets);
    }

    private static double Total(FloatHistogram histogram) =>
        histogram.PositiveBuckets.Sum() + histogram.NegativeBuckets.Sum() + histogram.ZeroCount;

    private static void AssertClose(FloatHistogram want, FloatHistogram got, int seed)
    {
        // Whole counts: sums are exact.
        Assert.True(want.Compact(0).HasSameDataAs(got.Compact(0)), $"want {want}, got {got}, seed {seed}");
    }
}
