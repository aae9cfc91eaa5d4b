using FsCheck;
using FsCheck.Fluent;
using Metrics.PromQL.Functions;
using Xunit;

namespace Metrics.PromQL.Tests.Functions.Instant;

public sealed class ClassicBucketsTests
{
    private const double Inf = double.PositiveInfinity;

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.25, 0.5)]
    [InlineData(0.5, 1)]
    [InlineData(0.75, 2)]
    [InlineData(1, 3)]
    [InlineData(-0.1, -Inf)]
    [InlineData(1.1, Inf)]
    [InlineData(double.NaN, double.NaN)]
    public void QuantilesLieEvenlyInTheirBucket(double q, double expected) => Assert.Equal(expected, Of((3, 8), (1, 4), (Inf, 8)).Quantile(q, out _));

    [Fact]
    public void AQuantileAboveAllFiniteBoundsIsTheHighestOfThem() => Assert.Equal(3, Of((1, 1), (3, 2), (Inf, 100)).Quantile(0.9, out _));

    [Fact]
    public void ALowestBucketBelowZeroHasNoInside() => Assert.Equal(-1, Of((-1, 8), (2, 9), (Inf, 9)).Quantile(0.5, out _));

    [Fact]
    public void WithoutAnInfiniteBucketOrASecondOneOrObservationsThereIsNone()
    {
        Assert.Equal(double.NaN, Of((1, 1), (2, 2)).Quantile(0.5, out _));
        Assert.Equal(double.NaN, Of((Inf, 2)).Quantile(0.5, out _));
        Assert.Equal(double.NaN, Of((1, 0), (Inf, 0)).Quantile(0.5, out _));
    }

    [Fact]
    public void EqualBoundsAddUp() => Assert.Equal(0.5, Of((1, 2), (1, 2), (Inf, 4), (Inf, 4)).Quantile(0.25, out _));

    [Fact]
    public void FallingCountsAreLiftedAndToldOf()
    {
        Assert.Equal(2, Of((1, 2), (2, 8), (3, 5), (4, 7), (Inf, 8)).Quantile(1, out var lifted));
        Assert.Equal(new LiftedBuckets(true, 3, 4, 3), lifted);
    }

    [Fact]
    public void FallsWithinRoundingPassInSilence()
    {
        var rounded = Of((1, 100), (2, 100 - 1e-11), (Inf, 100)).Quantile(1, out var lifted);
        Assert.Equal(1, rounded);
        Assert.False(lifted.Any);
    }

    [Theory]
    [InlineData(0, 1, 0.5)]
    [InlineData(0, 0.5, 0.25)]
    [InlineData(-Inf, Inf, 1)]
    [InlineData(1, 3, 0.25)]
    [InlineData(3, Inf, 0.25)]
    [InlineData(2, 1, 0)]
    [InlineData(double.NaN, 1, double.NaN)]
    public void FractionsLieEvenlyInTheirBucket(double lower, double upper, double expected) =>
        Assert.Equal(expected, Of((1, 4), (3, 6), (Inf, 8)).Fraction(lower, upper));

    [Fact]
    public void AFractionUpToAQuantileIsThatQuantile()
    {
        var counts = Gen.Choose(1, 50).ArrayOf(6).ToArbitrary();
        var quantiles = Gen.Choose(1, 99).Select(n => n / 100.0).ToArbitrary();
        Check.QuickThrowOnFailure(Prop.ForAll(counts, quantiles, (own, q) =>
        {
            // Nothing above the highest finite bound, where there is nothing to interpolate.
            var buckets = new ClassicBuckets();
            var total = 0;
            void Fill()
            {
                buckets.Clear();
                total = 0;
                for (var i = 0; i < own.Length; i++)
                {
                    buckets.Add(i + 1, total += own[i]);
                }

                buckets.Add(Inf, total);
            }

            Fill();
            var at = buckets.Quantile(q, out var lifted);
            Fill();
            Assert.False(lifted.Any);
            Assert.Equal(q, buckets.Fraction(-Inf, at), 1e-9);
        }));
    }

    private static ClassicBuckets Of(params (double Bound, double Count)[] buckets)
    {
        var all = new ClassicBuckets();
        foreach (var (bound, count) in buckets)
        {
            all.Add(bound, count);
        }

        return all;
    }
}
