using System.Globalization;
using Metrics.Model;
using Metrics.PromQL.Tests.Reference;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.Gateway.Tests.FrontEnd;

/// <summary>
/// Random queries over random data, asked of a server that splits and caches and of one that does neither: every answer must be the same, byte by byte, cold, warm, for ranges that overlap,
/// while samples come in and are deleted. A failure prints its seed, and METRICS_FUZZ_SEED runs exactly that one again; METRICS_FUZZ_COUNT runs more of them.
/// </summary>
public sealed class EqualAnswersTests(ITestOutputHelper log)
{
    private const int DefaultWorlds = 4;
    private static readonly string[] Replicas = ["instance", "instance,zone", "job,instance,zone", "other"];
    private const int QueriesPerWorld = 60;
    private static readonly long[] Steps = [500, 1000, 2000, 3000, 7000];

    [Fact]
    public Task SplitCachedAndSharedAnswersAreThoseOfOneEvaluation() => RunAsync(1, hasReplicas: false);

    [Fact]
    public Task AnswersOverReplicasAreThoseOfOneEvaluationToo() => RunAsync(101, hasReplicas: true);

    private async Task RunAsync(int first, bool hasReplicas)
    {
        var only = Environment.GetEnvironmentVariable("METRICS_FUZZ_SEED");
        var count = int.TryParse(Environment.GetEnvironmentVariable("METRICS_FUZZ_COUNT"), CultureInfo.InvariantCulture, out var asked) ? asked : DefaultWorlds;
        var seeds = only is null ? Enumerable.Range(first, hasReplicas ? (count + 1) / 2 : count) : [int.Parse(only, CultureInfo.InvariantCulture)];
        foreach (var seed in seeds)
        {
            var failure = await WorldAsync(seed, hasReplicas);
            Assert.True(failure is null, $"seed {seed}: {failure}");
        }
    }

    private async Task<string?> WorldAsync(int seed, bool hasReplicas)
    {
        var random = new Random(seed);
        await using var world = new StoredSeries();

        // The line before which the past is settled lies somewhere in the data, and moves on.
        world.Time.Now = DateTimeOffset.UnixEpoch.AddMinutes(31 + random.Next(20, 40));
        await world.WriteAsync(new DataGenerator(random).Series());
        using var plain = await world.ServeAsync(o =>
        {
            o.FrontEnd.ResultsCache = false;
            o.FrontEnd.SplitInterval = TimeSpan.Zero;
        });
        using var split = await world.ServeAsync(o => o.FrontEnd.SplitInterval = TimeSpan.FromMinutes(random.Next(1, 10)));
        for (var i = 0; i < QueriesPerWorld; i++)
        {
            var query = new QueryGenerator(random).Vector(random.Next(1, 4));
            var step = Steps[random.Next(Steps.Length)];
            var start = random.Next(0, 1_500_000) / (random.Next(2) == 0 ? step : 1) * step % 1_500_000;
            var length = random.Next(1, 1_200_000);
            var limit = random.Next(4) == 0 ? $"&limit={random.Next(1, 6)}" : "";
            var lookback = random.Next(6) == 0 ? $"&lookback_delta={random.Next(1, 400)}s" : "";
            var more = limit + lookback + (hasReplicas ? $"&replicaLabels[]={Replicas[random.Next(Replicas.Length)]}" : "");
            (long Start, long End)[] ranges =
            [
                (start, start + length), // cold
                (start, start + length), // warm
                (start + (length / 2 / step * step), start + (length * 3 / 2)),
                (Math.Max(0, start - (length / 2 / step * step)), start + (length / 2)),
                (start, start + (length * 3 / 2)),
            ];
            foreach (var (from, to) in ranges)
            {
                await ChangeAsync(world, random, plain);
                var want = await StoredSeries.RangeAsync(plain, query, from, to, step, more);
                var got = await StoredSeries.RangeAsync(split, query, from, to, step, more, noStore: random.Next(10) == 0);
                if (want != got)
                {
                    return $"{query} from {from} to {to} by {step}{more}:\n expected {(int)want.Status} {Around(want.Body, got.Body)}\n got      {(int)got.Status} {Around(got.Body, want.Body)}";
                }
            }
        }

        var metrics = await split.GetStringAsync("/metrics");
        var cached = long.Parse(metrics.Split('\n').Single(l => l.StartsWith("metrics_query_cached_steps_total ", StringComparison.Ordinal)).Split(' ')[1], CultureInfo.InvariantCulture);
        log.WriteLine($"seed {seed}: {cached} steps came from the cache");
        return cached > 1000 ? null : $"only {cached} steps came from the cache";
    }

    /// <summary>Time goes on, new and late samples come, some go.</summary>
    private static async Task ChangeAsync(StoredSeries world, Random random, HttpClient client)
    {
        var now = world.Time.Now.ToUnixTimeMilliseconds();
        switch (random.Next(10))
        {
            case 0:
                world.Time.Now += TimeSpan.FromSeconds(random.Next(1, 30));
                break;
            case 1 or 2:
                // Just after the line: what is settled may not depend on it.
                await world.WriteAsync([new NaiveSeries(Series(random), [new NaiveSample(now - (31 * 60_000) + random.Next(0, 300_000), random.NextDouble())])]);
                break;
            case 3 when random.Next(2) == 0:
                // Before the line, which the shard has to tell.
                await world.WriteAsync([new NaiveSeries(Series(random), [new NaiveSample(random.Next(1, 1_500_000), random.NextDouble())])]);
                break;
            case 4 when random.Next(6) == 0:
                using (var response = await client.PostAsync($"/api/v1/admin/tsdb/delete_series?match[]=temperature{{job=\"{"abc"[random.Next(3)]}\"}}&start={random.Next(0, 900)}&end={random.Next(900, 1000)}", null))
                {
                    Assert.Equal(System.Net.HttpStatusCode.NoContent, response.StatusCode);
                }

                break;
        }
    }

    private static Labels Series(Random random) =>
        Labels.Of(("__name__", random.Next(2) == 0 ? "temperature" : "requests_total"), ("instance", "ab"[random.Next(2)].ToString()), ("job", "abcd"[random.Next(4)].ToString()));

    private static string Around(string body, string other)
    {
        var same = body.AsSpan().CommonPrefixLength(other);
        return body[Math.Max(0, same - 200)..Math.Min(body.Length, same + 200)];
    }
}
