using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Metrics.PromQL.Functions;
using Xunit;

namespace Metrics.PromQL.Tests.Functions.Instant;

public sealed class HistogramDistributionTests
{
    private const double Inf = double.PositiveInfinity;

    [Theory]
    [InlineData(0.25, 0.25)]
    [InlineData(0.75, 1.4142135623730951)]
    [InlineData(1, 2)]
    [InlineData(-1, -Inf)]
    [InlineData(2, Inf)]
    [InlineData(double.NaN, double.NaN)]
    public void QuantilesOfExponentialBucketsLieEvenlyOnALogarithmicScale(double q, double expected) =>
        Assert.Equal(expected, HistogramDistribution.Quantile(q, Exponential(zero: 4, positive: [0, 4]), out _), 1e-12);

    [Fact]
    public void TheZeroBucketEndsAtZeroBesideBucketsOfOneSign()
    {
        var positive = Exponential(zero: 8, positive: [2]);
        var negative = Exponential(zero: 8, negative: [2]);
        Assert.Equal(0.125, HistogramDistribution.Quantile(0.2, positive, out _), 1e-12);
        Assert.Equal(-0.125, HistogramDistribution.Quantile(0.8, negative, out _), 1e-12);
    }

    [Fact]
    public void NaNObservationsAreToldOf()
    {
        var histogram = Exponential(zero: 0, positive: [2, 4]);
        histogram.Count = 8;
        histogram.Sum = double.NaN;
        Assert.Equal(double.NaN, HistogramDistribution.Quantile(0.9, histogram, out var result));
        Assert.Equal(DistributionRemark.ResultIsNaN, result);
        _ = HistogramDistribution.Quantile(0.5, histogram, out var skew);
        Assert.Equal(DistributionRemark.SkewedByNaN, skew);
        Assert.Equal(0.75, HistogramDistribution.Fraction(-Inf, Inf, histogram, out var excluded));
        Assert.Equal(DistributionRemark.NaNExcluded, excluded);
    }

    [Theory]
    [InlineData(0.25, 2.5)]
    [InlineData(0.5, 5)]
    [InlineData(0.75, 10)]
    [InlineData(1, 10)]
    public void CustomBucketsAreReadAsClassicOnes(double q, double expected) => Assert.Equal(expected, HistogramDistribution.Quantile(q, Custom(), out _));

    [Fact]
    public void VarianceTakesEachBucketAtItsMiddle()
    {
        // Two at 0, two at the geometric middle of (1, 2]; the mean is that of the sum.
        var histogram = Exponential(zero: 2, positive: [0, 2]);
        histogram.Sum = 4;
        var middle = Math.Sqrt(2);
        Assert.Equal((2 + (2 * (middle - 1) * (middle - 1))) / 4, HistogramDistribution.Variance(histogram), 1e-12);
    }

    [Fact]
    public void AFractionUpToAQuantileIsThatQuantile()
    {
        var counts = Gen.Choose(1, 30).ArrayOf(9).ToArbitrary();
        var quantiles = Gen.Choose(1, 99).Select(n => n / 100.0).ToArbitrary();
        Check.QuickThrowOnFailure(Prop.ForAll(counts, quantiles, (c, q) =>
        {
            var histogram = Exponential(c[0], [c[1], c[2], c[3], c[4]], [c[5], c[6], c[7], c[8]]);
            var at = HistogramDistribution.Quantile(q, histogram, out var remark);
            Assert.Equal(DistributionRemark.None, remark);
            Assert.Equal(q, HistogramDistribution.Fraction(-Inf, at, histogram, out _), 1e-9);
        }));
    }

    [Fact]
    public void WithoutObservationsThereIsNothing()
    {
        Assert.Equal(double.NaN, HistogramDistribution.Quantile(0.5, new FloatHistogram(), out _));
        Assert.Equal(double.NaN, HistogramDistribution.Fraction(0, 1, new FloatHistogram(), out _));
    }

    // Schema 0: positive bucket i is (2^(i-1), 2^i], and the zero bucket reaches to 0.5 on either side.
    private static FloatHistogram Exponential(double zero, double[]? positive = null, double[]? negative = null) => new()
    {
        ZeroThreshold = 0.5,
        ZeroCount = zero,
        Count = zero + (positive ?? []).Sum() + (negative ?? []).Sum(),
        PositiveSpans = positive is null ? [] : [new HistogramSpan(0, (uint)positive.Length)],
        NegativeSpans = negative is null ? [] : [new HistogramSpan(0, (uint)negative.Length)],
        PositiveBuckets = positive ?? [],
        NegativeBuckets = negative ?? [],
    };

    private static FloatHistogram Custom() => new()
    {
        Schema = FloatHistogram.CustomBucketsSchema,
        CustomValues = [5, 10],
        Count = 8,
        PositiveSpans = [new HistogramSpan(0, 3)],
        PositiveBuckets = [4, 2, 2],
    };

    private static FloatHistogram Exponential(int zero, int[] positive, int[] negative) =>
        Exponential(zero, [.. positive.Select(n => (double)n)], [.. negative.Select(n => (double)n)]);
}
