using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Xunit;

namespace Metrics.PromQL.Tests.Functions;

public class SlidingWindowTests
{
    public static TheoryData<string, double[]> Functions => new()
    {
        { "rate", [] }, { "increase", [] }, { "delta", [] }, { "irate", [] }, { "idelta", [] }, { "resets", [] }, { "changes", [] },
        { "deriv", [] }, { "sum_over_time", [] }, { "avg_over_time", [] }, { "min_over_time", [] },
        { "max_over_time", [] }, { "ts_of_min_over_time", [] }, { "ts_of_max_over_time", [] }, { "count_over_time", [] },
        { "present_over_time", [] }, { "first_over_time", [] }, { "last_over_time", [] }, { "ts_of_first_over_time", [] },
        { "ts_of_last_over_time", [] }, { "stddev_over_time", [] }, { "stdvar_over_time", [] }, { "quantile_over_time", [0.3] },
        { "mad_over_time", [] }, { "double_exponential_smoothing", [0.3, 0.6] }, { "predict_linear", [60] },
    };

    [Theory]
    [MemberData(nameof(Functions))]
    public void SlidingOverAllStepsEqualsEachWindowAlone(string name, double[] parameters) =>
        Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            var random = new Random(seed);
            var points = Points(random);
            var grid = new TimeGrid(1000 * random.Next(1, 50), 1000 * random.Next(60, 400), 1000 * random.Next(1, 40));
            var rangeMs = 1000L * random.Next(1, 300);
            using var all = Buffer(points);
            var got = new RangeFunctionRun(name, parameters).Floats(all, grid, rangeMs);
            for (var step = 0; step < grid.Count; step++)
            {
                var end = grid.At(step);
                using var window = Buffer([.. points.Where(point => point.TimeMs > end - rangeMs && point.TimeMs <= end)]);
                var want = new RangeFunctionRun(name, parameters).Floats(window, TimeGrid.Instant(end), rangeMs)[0];
                AssertClose(want, got[step], $"seed {seed}, step {step}");
            }
        }));

    [Fact]
    public void SumsOfWindowsEqualPlainSums() =>
        Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            var random = new Random(seed);
            var points = Points(random);
            var grid = new TimeGrid(0, 500_000, 7_000);
            using var all = Buffer(points);
            var sums = new RangeFunctionRun("sum_over_time").Floats(all, grid, 200_000);
            var means = new RangeFunctionRun("avg_over_time").Floats(all, grid, 200_000);
            var maxima = new RangeFunctionRun("max_over_time").Floats(all, grid, 200_000);
            for (var step = 0; step < grid.Count; step++)
            {
                var end = grid.At(step);
                double[] values = [.. points.Where(point => point.TimeMs > end - 200_000 && point.TimeMs <= end).Select(point => point.Value)];
                var numbers = values.Where(value => !double.IsNaN(value)).ToArray();
                AssertClose(values.Length == 0 ? null : values.Sum(), sums[step], $"sum, seed {seed}, step {step}");
                AssertClose(values.Length == 0 ? null : values.Sum() / values.Length, means[step], $"mean, seed {seed}, step {step}");
                AssertClose(values.Length == 0 ? null : numbers.Length == 0 ? double.NaN : numbers.Max(), maxima[step], $"max, seed {seed}, step {step}");
            }
        }));

    private static (long TimeMs, double Value)[] Points(Random random)
    {
        var points = new List<(long, double)>();
        var value = 0.0;
        for (var time = random.Next(1, 20_000); time < 500_000; time += random.Next(10) == 0 ? random.Next(1, 90_000) : random.Next(200, 2_500))
        {
            value = random.Next(20) == 0 ? 0 : value + (random.NextDouble() * 10);
            points.Add((time, random.Next(60) switch { 0 => double.NaN, 1 => double.PositiveInfinity, 2 => double.NegativeInfinity, _ => value }));
        }

        return [.. points];
    }

    private static SampleBuffer Buffer((long TimeMs, double Value)[] points)
    {
        var buffer = new SampleBuffer();
        foreach (var (time, value) in points)
        {
            buffer.Add(time, value);
        }

        return buffer;
    }

    private static void AssertClose(double? want, double? got, string where)
    {
        var same = want.HasValue == got.HasValue
            && (want is not { } a || got is not { } b || a.Equals(b) || Math.Abs(a - b) <= 1e-9 * Math.Max(1, Math.Max(Math.Abs(a), Math.Abs(b))));
        Assert.True(same, $"want {want}, got {got}: {where}");
    }
}
