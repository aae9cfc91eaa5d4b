using System.Text;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.PromQL.Tests.Reference;

/// <summary>
/// Random queries on random data: the engine against the naive evaluator, over one shard and over several, in one range and in two halves. All must agree.
/// A failure prints its seed, and METRICS_FUZZ_SEED runs exactly that one again; METRICS_FUZZ_FIRST and METRICS_FUZZ_COUNT run others, or more of them.
/// </summary>
public sealed class DifferentialTests(ITestOutputHelper log)
{
    private const int DefaultCount = 20_000;
    private const long StepMs = 20_000;
    private static readonly EngineOptions Options = new() { Parsing = ParseOptions.All };

    [Fact]
    public async Task EngineShardsAndSplitsAgreeWithTheNaiveEvaluator()
    {
        if (int.TryParse(Environment.GetEnvironmentVariable("METRICS_FUZZ_SEED"), out var only))
        {
            Assert.Null(await RunAsync(only));
            return;
        }

        var count = int.TryParse(Environment.GetEnvironmentVariable("METRICS_FUZZ_COUNT"), out var asked) ? asked : DefaultCount;
        var first = int.TryParse(Environment.GetEnvironmentVariable("METRICS_FUZZ_FIRST"), out var from) ? from : 1;
        var failures = new List<string>();
        for (var seed = first; seed < first + count && failures.Count < 20; seed++)
        {
            if (await RunAsync(seed) is { } failure)
            {
                log.WriteLine(failure);
                failures.Add(failure);
            }
        }

        log.WriteLine($"seeds {first} to {first + count - 1}: {failures.Count} failures");
        Assert.True(failures.Count == 0, string.Join("\n", failures));
    }

    private static async Task<string?> RunAsync(int seed)
    {
        var random = new Random(seed);
        var data = new DataGenerator(random).Series();
        var query = new QueryGenerator(random).Vector(random.Next(1, 4));
        var start = random.Next(200_000, 1_200_000);
        var grid = new TimeGrid(start, start + (random.Next(1, 40) * StepMs), StepMs);
        var naive = Naive(data, query, grid);
        var engine = await EngineAsync(data, query, grid, shards: 1);
        var sharded = await EngineAsync(data, query, grid, shards: 3);
        var difference = Difference(naive, engine) ?? Difference(naive, sharded);

        // start() and end() mean other instants in a half, so such queries are not split.
        if (difference is null && !query.Contains('@') && naive.Failure is null)
        {
            var middle = grid.At(grid.Count / 2);
            var low = await EngineAsync(data, query, grid with { EndMs = middle - StepMs }, shards: 2);
            var high = await EngineAsync(data, query, grid with { StartMs = middle }, shards: 2);
            difference = Difference(naive, new Answer(low.Failure ?? high.Failure, Merge(low.Points, high.Points)));
        }

        return difference is null ? null : $"seed {seed}: {query} from {grid.StartMs} to {grid.EndMs}: {difference}";
    }

    private static Dictionary<(Labels, long), (double, FloatHistogram?)> Merge(
        Dictionary<(Labels, long), (double, FloatHistogram?)> low, Dictionary<(Labels, long), (double, FloatHistogram?)> high)
    {
        foreach (var (key, value) in low)
        {
            high.Add(key, value);
        }

        return high;
    }

    private static Answer Naive(IReadOnlyList<NaiveSeries> data, string query, TimeGrid grid)
    {
        var expr = PromQLParser.Parse(query, ParseOptions.All);
        var evaluator = new NaiveEvaluator(data, grid, Options.LookbackMs, Options.DefaultSubqueryStepMs);
        var points = new Dictionary<(Labels, long), (double, FloatHistogram?)>();
        try
        {
            for (var step = 0; step < grid.Count; step++)
            {
                foreach (var element in evaluator.Evaluate(expr, grid.At(step)))
                {
                    points.Add((element.Labels, grid.At(step)), (element.Value, element.Histogram));
                }
            }
        }
        catch (NaiveFailure e)
        {
            return new(e.Message, []);
        }
        catch (ArgumentException)
        {
            return new("vector cannot contain metrics with the same labelset", []);
        }

        return new(null, points);
    }

    private static async Task<Answer> EngineAsync(IReadOnlyList<NaiveSeries> data, string query, TimeGrid grid, int shards)
    {
        var points = new Dictionary<(Labels, long), (double, FloatHistogram?)>();
        try
        {
            using var result = await new QueryEngine(Options).ExecuteAsync(new(query, grid, IsRange: true), NaiveSource.Shards(data, shards, Options), CancellationToken.None);
            foreach (var series in result.Series)
            {
                for (var i = 0; i < series.Points.Count; i++)
                {
                    points.Add((series.Labels, series.Points.Times[i]), (series.Points.Values[i], series.Points.HasHistograms ? series.Points.Histograms[i] : null));
                }
            }
        }
        catch (QueryException e) when (e.Kind == QueryErrorKind.Execution)
        {
            return new(e.Message, []);
        }

        return new(null, points);
    }

    private static string? Difference(Answer want, Answer got)
    {
        // Which of several failures is met first is not promised.
        if (want.Failure is not null || got.Failure is not null)
        {
            return want.Failure is not null && got.Failure is not null ? null : $"expected {want.Failure ?? "an answer"}, got {got.Failure ?? "an answer"}";
        }

        var text = new StringBuilder();
        foreach (var (key, (value, histogram)) in want.Points)
        {
            if (!got.Points.TryGetValue(key, out var other))
            {
                return $"missing {key.Item1} at {key.Item2}: {value:R} {histogram}";
            }

            if ((histogram is null) != (other.Item2 is null) || (histogram is null ? !Close(value, other.Item1) : !Close(histogram, other.Item2!)))
            {
                return $"{key.Item1} at {key.Item2}: expected {value:R} {histogram}, got {other.Item1:R} {other.Item2}";
            }
        }

        var extra = got.Points.Keys.Except(want.Points.Keys).FirstOrDefault();
        return extra.Item1 is null ? null : $"unexpected {extra.Item1} at {extra.Item2}";
    }

    private static bool Close(double a, double b) => a.Equals(b) || a == b || Math.Abs(a - b) <= 1e-6 * Math.Max(Math.Abs(a), Math.Abs(b)) || Math.Abs(a - b) < 1e-9;

    private static bool Close(FloatHistogram a, FloatHistogram b)
    {
        var (x, y) = (a.Copy().Compact(0), b.Copy().Compact(0));
        return x.Schema == y.Schema && Close(x.Count, y.Count) && Close(x.Sum, y.Sum) && Close(x.ZeroCount, y.ZeroCount)
            && x.PositiveBuckets.Length == y.PositiveBuckets.Length && x.PositiveBuckets.Zip(y.PositiveBuckets).All(p => Close(p.First, p.Second))
            && x.NegativeBuckets.Length == y.NegativeBuckets.Length && x.NegativeBuckets.Zip(y.NegativeBuckets).All(p => Close(p.First, p.Second));
    }

    private sealed record Answer(string? Failure, Dictionary<(Labels, long), (double, FloatHistogram?)> Points);
}
