using Metrics.Model;
using Metrics.PromQL.Parsing;
using Xunit;

namespace Metrics.PromQL.Tests.Functions;

public class RangeFunctionTests
{
    [Theory]
    [InlineData("rate", 1.0)]
    [InlineData("increase", 60.0)]
    [InlineData("delta", 60.0)]
    [InlineData("irate", 1.0)]
    [InlineData("idelta", 10.0)]
    [InlineData("deriv", 1.0)]
    [InlineData("count_over_time", 6.0)]
    [InlineData("first_over_time", 110.0)]
    [InlineData("last_over_time", 160.0)]
    [InlineData("ts_of_first_over_time", 10.0)]
    [InlineData("ts_of_max_over_time", 60.0)]
    [InlineData("avg_over_time", 135.0)]
    [InlineData("mad_over_time", 15.0)]
    [InlineData("changes", 5.0)]
    [InlineData("resets", 0.0)]
    public void SteadyCounterGivesKnownValue(string function, double want)
    {
        using var samples = Every10Seconds(100, 110, 120, 130, 140, 150, 160);
        Assert.Equal(want, new RangeFunctionRun(function).Floats(samples, TimeGrid.Instant(60_000), 60_000)[0]!.Value, 9);
    }

    [Fact]
    public void CounterResetAddsWhatWasLost()
    {
        using var samples = Every10Seconds(0, 10, 20, 5, 15);
        Assert.Equal(35.0, new RangeFunctionRun("increase").Floats(samples, TimeGrid.Instant(40_000), 40_001)[0]!.Value, 2);
        Assert.Equal(1, new RangeFunctionRun("resets").Floats(samples, TimeGrid.Instant(40_000), 40_001)[0]);
    }

    [Fact]
    public void ExtrapolationStopsWhereTheCounterWasZero()
    {
        // 2 to 12 in 10 s: zero lies 2 s before the first sample, which is nearer than the window's start.
        using var samples = new SampleBuffer();
        samples.Add(20_000, 2);
        samples.Add(30_000, 12);
        Assert.Equal(12.0, new RangeFunctionRun("increase").Floats(samples, TimeGrid.Instant(30_000), 15_000)[0]!.Value, 9);
    }

    [Fact]
    public void StartTimestampInsideTheWindowStandsForZero()
    {
        using var samples = new SampleBuffer();
        samples.Add(30_000, 12);
        samples.SetStartTime(10_000);
        var run = new RangeFunctionRun("increase") { Options = new EngineOptions { UseStartTimestamps = true } };
        Assert.Equal(12.0, run.Floats(samples, TimeGrid.Instant(30_000), 25_000)[0]!.Value, 9);
        Assert.Null(new RangeFunctionRun("increase").Floats(samples, TimeGrid.Instant(30_000), 25_000)[0]);
    }

    [Theory]
    [InlineData(RangeMode.Anchored, 30.0)]
    [InlineData(RangeMode.Smoothed, 25.0)]
    public void ExtendedWindowsMeasureBetweenTheirBounds(RangeMode mode, double want)
    {
        using var samples = Every10Seconds(0, 10, 20, 30, 40, 50);
        var run = new RangeFunctionRun("increase") { Mode = mode };
        Assert.Equal(want, run.Floats(samples, TimeGrid.Instant(40_000), 25_000)[0]!.Value, 9);
    }

    [Fact]
    public void WindowThatStandsStillIsBroadcast()
    {
        using var samples = Every10Seconds(1, 2, 3);
        var run = new RangeFunctionRun("sum_over_time") { AtMs = 20_000 };
        Assert.Equal([5.0, 5.0, 5.0], run.Floats(samples, new TimeGrid(100_000, 120_000, 10_000), 20_000));
    }

    [Fact]
    public void HistogramRateIsGaugeOfBucketIncreases()
    {
        using var samples = new SampleBuffer();
        samples.Add(10_000, Histogram(2, 3));
        samples.Add(20_000, Histogram(4, 7));
        samples.Add(30_000, Histogram(1, 1));
        var run = new RangeFunctionRun("increase");
        var got = run.Histograms(samples, TimeGrid.Instant(30_000), 20_001)[0]!;
        Assert.Equal(CounterResetHint.Gauge, got.CounterResetHint);
        Assert.Equal([3.0, 5.0], got.PositiveBuckets.Select(count => Math.Round(count, 2)));
        Assert.Empty(run.Remarks);
    }

    [Fact]
    public void SumOfHistogramsAddsBuckets()
    {
        using var samples = new SampleBuffer();
        samples.Add(10_000, Histogram(2, 3));
        samples.Add(20_000, Histogram(4, 7));
        Assert.Equal([6.0, 10.0], new RangeFunctionRun("sum_over_time").Histograms(samples, TimeGrid.Instant(20_000), 60_000)[0]!.PositiveBuckets);
        Assert.Equal([3.0, 5.0], new RangeFunctionRun("avg_over_time").Histograms(samples, TimeGrid.Instant(20_000), 60_000)[0]!.PositiveBuckets);
        Assert.Equal([2.0, 3.0], samples.Histograms[0]!.PositiveBuckets);
    }

    [Theory]
    [InlineData("rate", "encountered a mix of histograms and floats for metric name \"m\"", false)]
    [InlineData("sum_over_time", "encountered a mix of histograms and floats for metric name \"m\"", false)]
    [InlineData("irate", "encountered a mix of histograms and floats for metric name \"m\"", false)]
    [InlineData("max_over_time", "ignored histograms in a range containing both floats and histograms for metric name \"m\"", true)]
    [InlineData("deriv", "ignored histograms in a range containing both floats and histograms for metric name \"m\"", true)]
    public void MixedWindowsAreRemarkedOn(string function, string remark, bool hasResult)
    {
        using var samples = new SampleBuffer();
        samples.Add(10_000, 1);
        samples.Add(15_000, 2);
        samples.Add(20_000, Histogram(1, 1));
        var run = new RangeFunctionRun(function);
        Assert.Equal(hasResult, run.Floats(samples, TimeGrid.Instant(20_000), 60_000)[0].HasValue);
        Assert.Equal([remark], run.Remarks);
    }

    [Fact]
    public void ImpossibleQuantileIsInfiniteWithWarning()
    {
        using var samples = Every10Seconds(1, 2, 3);
        var run = new RangeFunctionRun("quantile_over_time", 1.5);
        Assert.Equal(double.PositiveInfinity, run.Floats(samples, TimeGrid.Instant(20_000), 60_000)[0]);
        Assert.Equal(["quantile value should be between 0 and 1, got 1.5"], run.Remarks);
    }

    [Fact]
    public void AverageOfHugeValuesDoesNotOverflow()
    {
        using var samples = Every10Seconds(double.MaxValue, double.MaxValue, double.MaxValue);
        Assert.Equal(double.MaxValue, new RangeFunctionRun("avg_over_time").Floats(samples, TimeGrid.Instant(20_000), 60_000)[0]!.Value, double.MaxValue / 1e12);
    }

    private static SampleBuffer Every10Seconds(params double[] values)
    {
        var samples = new SampleBuffer();
        for (var i = 0; i < values.Length; i++)
        {
            samples.Add(i * 10_000, values[i]);
        }

        return samples;
    }

    private static FloatHistogram Histogram(params double[] buckets) => new()
    {
        Count = buckets.Sum(),
        Sum = buckets.Sum(),
        PositiveSpans = [new HistogramSpan(0, (uint)buckets.Length)],
        PositiveBuckets = buckets,
    };
}
