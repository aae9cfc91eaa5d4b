using System.Globalization;
using Metrics.Gateway.Configuration;
using Metrics.Model;
using Metrics.PromQL.Tests.Reference;
using Xunit;

namespace Metrics.Gateway.Tests.FrontEnd;

/// <summary>What is kept, what is used, and what has to be computed anew, over a real cluster and HTTP.</summary>
public sealed class ResultsCacheTests
{
    private const long Hour = 3_600_000;
    private static readonly DateTimeOffset Noon = DateTimeOffset.UnixEpoch.AddDays(10).AddHours(12);

    [Fact]
    public async Task WhatIsSettledIsComputedOnce()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        var (from, to) = (Ms(Noon) - (6 * Hour), Ms(Noon) - Hour);
        var first = await StoredSeries.RangeAsync(client, "sum(up)", from, to, 60_000);
        Assert.Equal(0, await CachedStepsAsync(client));
        Assert.Equal(first, await StoredSeries.RangeAsync(client, "sum( up )", from, to, 60_000));
        Assert.Equal(301, await CachedStepsAsync(client));

        // Another phase of the same step is another question.
        await StoredSeries.RangeAsync(client, "sum(up)", from + 1000, to, 60_000);
        Assert.Equal(301, await CachedStepsAsync(client));
        await StoredSeries.RangeAsync(client, "sum(up)", from - Hour, to + (Hour / 4), 60_000);
        Assert.Equal(602, await CachedStepsAsync(client));
        await StoredSeries.RangeAsync(client, "sum(up)", from - Hour, to + (Hour / 4), 60_000);
        Assert.Equal(602 + 376, await CachedStepsAsync(client));
    }

    [Fact]
    public async Task WhoeverIsContentWithLessIsAnsweredFromMemoryToo()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        var (from, to) = (Ms(Noon) - (6 * Hour), Ms(Noon) - Hour);
        var first = await StoredSeries.RangeAsync(client, "sum(up)", from, to, 60_000, "&partial_response=true");

        // Nothing was away, so it is the answer of those, too, who want all.
        Assert.Equal(first, await StoredSeries.RangeAsync(client, "sum(up)", from, to, 60_000, "&partial_response=true"));
        Assert.Equal(first, await StoredSeries.RangeAsync(client, "sum(up)", from, to, 60_000));
        Assert.Equal(2 * 301, await CachedStepsAsync(client));
    }

    [Fact]
    public async Task AnswersOverReplicasAreKeptForTheirLabelsAlone()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static o => o.Query.ReplicaLabels = ["job"]);
        var (from, to) = (Ms(Noon) - (40 * Hour), Ms(Noon) - Hour);
        foreach (var (more, series, cached) in new[] { ("", 1, 0), ("", 1, 2341), ("&replicaLabels[]=other", 4, 2341), ("&dedup=false", 4, 2341), ("&partial_response=true", 1, 2 * 2341), ("&dedup=false", 4, 3 * 2341) })
        {
            var (_, body) = await StoredSeries.RangeAsync(client, "count(up)", from, to, 60_000, more);
            Assert.StartsWith($$$"""{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[{{{from / 1000}}},"{{{series}}}"],""", body, StringComparison.Ordinal);
            Assert.Equal(cached, await CachedStepsAsync(client));
        }
    }

    [Fact]
    public async Task PartsOverReplicasReadNoMoreThanTheWholeMay()
    {
        // Pairs that follow one another: each part reads two series, and has one.
        await using var world = new StoredSeries();
        world.Time.Now = Noon;
        foreach (var hour in new[] { 1, 2, 3 })
        {
            await world.WriteAsync([.. Enumerable.Range(0, 2).Select(i => Series($"{hour}{i}", [.. Enumerable.Range(0, 30).Select(m => (Ms(Noon) - (hour * Hour) + (m * 60_000L), 1.0))]))]);
        }

        var (from, to) = (Ms(Noon) - (3 * Hour), Ms(Noon));
        foreach (var split in new[] { TimeSpan.Zero, TimeSpan.FromHours(1) })
        {
            using var client = await world.ServeAsync(o => (o.FrontEnd.SplitInterval, o.Limits.MaxFetchedSeriesPerQuery) = (split, 5));
            Assert.Contains("max_fetched_series_per_query of 5", (await StoredSeries.RangeAsync(client, "up", from, to, 60_000, "&replicaLabels[]=job")).Body, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task WhatMayStillChangeIsComputedEachTime()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        var (from, to) = (Ms(Noon) - Hour, Ms(Noon));
        await StoredSeries.RangeAsync(client, "up", from, to, 60_000);
        await StoredSeries.RangeAsync(client, "up", from, to, 60_000);

        // Half an hour of late samples, a minute to spare: 28 steps of -60 to -32 min.
        Assert.Equal(29, await CachedStepsAsync(client));
        await StoredSeries.RangeAsync(client, "up offset -10m", from, to, 60_000);
        await StoredSeries.RangeAsync(client, "up offset -10m", from, to, 60_000);
        Assert.Equal(29 + 19, await CachedStepsAsync(client));
        await StoredSeries.RangeAsync(client, $"up @ {Noon.ToUnixTimeSeconds() - 60}", from - Hour, to - Hour, 60_000);
        await StoredSeries.RangeAsync(client, $"up @ {Noon.ToUnixTimeSeconds() - 60}", from - Hour, to - Hour, 60_000);
        Assert.Equal(29 + 19, await CachedStepsAsync(client));

        // A late sample where nothing was kept is seen, and the clock moves the line.
        await world.WriteAsync([Series("late", (Ms(Noon) - (29 * 60_000), 5))]);
        Assert.Contains("late", (await StoredSeries.RangeAsync(client, "up", from, to, 60_000)).Body, StringComparison.Ordinal);
        world.Time.Now += TimeSpan.FromMinutes(20);
        await StoredSeries.RangeAsync(client, "up", from, to, 60_000);
        await StoredSeries.RangeAsync(client, "up", from, to, 60_000);
        Assert.Equal(29 + 19 + 29 + 29 + 49, await CachedStepsAsync(client));
    }

    [Fact]
    public async Task SamplesThatComeTooLateToBeExpectedMakeItForget()
    {
        await using var world = new StoredSeries();
        world.Time.Now = Noon;
        await world.WriteAsync([Series("a", (Ms(Noon) - (5 * Hour), 1))]);
        using var client = await world.ServeAsync(static _ => { });
        var (from, to) = (Ms(Noon) - (6 * Hour), Ms(Noon) - (2 * Hour));
        await StoredSeries.RangeAsync(client, "up", from, to, 60_000);
        await world.WriteAsync([Series("a", (Ms(Noon) - (3 * Hour), 7)), Series("b", (Ms(Noon) - (5 * Hour), 8))]);
        var (_, body) = await StoredSeries.RangeAsync(client, "up", from, to, 60_000);
        Assert.Contains("\"7\"", body, StringComparison.Ordinal);
        Assert.Contains("\"b\"", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DeletionIsSeenAtOnce()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        var (from, to) = (Ms(Noon) - (6 * Hour), Ms(Noon) - (2 * Hour));
        await StoredSeries.RangeAsync(client, "up", from, to, 60_000);
        using var deleted = await client.PostAsync("/api/v1/admin/tsdb/delete_series?match[]=up", null);
        Assert.Equal(System.Net.HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.Contains("\"result\":[]", (await StoredSeries.RangeAsync(client, "up", from, to, 60_000)).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnswersWithRemarksAreNotKept()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        var (from, to) = (Ms(Noon) - (40 * Hour), Ms(Noon) - (2 * Hour));
        var first = await StoredSeries.RangeAsync(client, "rate(up[10m])", from, to, 60_000);
        Assert.Contains("\"infos\":[\"PromQL info: metric might not be a counter", first.Body, StringComparison.Ordinal);
        Assert.Equal(first, await StoredSeries.RangeAsync(client, "rate(up[10m])", from, to, 60_000));
        Assert.Equal(0, await CachedStepsAsync(client));
    }

    [Fact]
    public async Task NoStoreIsHonoured()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        var (from, to) = (Ms(Noon) - (6 * Hour), Ms(Noon) - (2 * Hour));
        for (var i = 0; i < 3; i++)
        {
            await StoredSeries.RangeAsync(client, "up", from, to, 60_000, noStore: true);
        }

        Assert.Equal(0, await CachedStepsAsync(client));
        Assert.Equal(0, await GaugeAsync(client, "metrics_results_cache_items"));
    }

    [Fact]
    public async Task TenantsShareNothing()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        var (from, to) = (Ms(Noon) - (6 * Hour), Ms(Noon) - (2 * Hour));
        await StoredSeries.RangeAsync(client, "up", from, to, 60_000);
        client.DefaultRequestHeaders.Add("X-Scope-OrgID", "other");
        Assert.Contains("\"result\":[]", (await StoredSeries.RangeAsync(client, "up", from, to, 60_000)).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SizeNumberAndAgeAreBounded()
    {
        await using var world = await WorldAsync();
        using var small = await world.ServeAsync(static o => o.FrontEnd.CacheMaxSize = new ByteSize(20_000));
        using var few = await world.ServeAsync(static o => o.FrontEnd.CacheMaxItems = 3);
        using var young = await world.ServeAsync(static o => o.FrontEnd.CacheValidity = TimeSpan.FromHours(1));
        var (from, to) = (Ms(Noon) - (40 * Hour), Ms(Noon) - (2 * Hour));
        for (var i = 0; i < 10; i++)
        {
            await StoredSeries.RangeAsync(small, $"up + {i}", from, to, 600_000);
            await StoredSeries.RangeAsync(few, $"up + {i}", from, to, 600_000);
            Assert.InRange(await GaugeAsync(small, "metrics_results_cache_bytes"), 0, 20_000);
            Assert.InRange(await GaugeAsync(few, "metrics_results_cache_items"), 1, 3);
        }

        await StoredSeries.RangeAsync(young, "up", from, to, 600_000);
        world.Time.Now += TimeSpan.FromMinutes(59);
        await StoredSeries.RangeAsync(young, "up", from, to, 600_000);
        Assert.Equal(229, await CachedStepsAsync(young));
        world.Time.Now += TimeSpan.FromMinutes(1);
        await StoredSeries.RangeAsync(young, "up", from, to, 600_000);
        Assert.Equal(229, await CachedStepsAsync(young));
    }

    [Fact]
    public async Task SamplesLookedAtAreCountedAlsoWhereTheCacheAnswers()
    {
        await using var world = await WorldAsync();
        using var client = await world.ServeAsync(static _ => { });
        var (from, to) = (Ms(Noon) - (6 * Hour), Ms(Noon) - (2 * Hour));
        var cold = Samples((await StoredSeries.RangeAsync(client, "rate(up_total[5m])", from, to, 60_000, "&stats=true")).Body);
        var warm = Samples((await StoredSeries.RangeAsync(client, "rate(up_total[5m])", from, to, 60_000, "&stats=true")).Body);
        Assert.True(cold > 241);
        Assert.Equal(cold, warm);
        Assert.Equal(241, await CachedStepsAsync(client));
    }

    /// <summary>Two days of two gauges and a counter, a sample a minute, up to noon.</summary>
    private static async Task<StoredSeries> WorldAsync()
    {
        var world = new StoredSeries();
        world.Time.Now = Noon;
        var times = Enumerable.Range(-48 * 60, (48 * 60) + 1).Select(m => Ms(Noon) + (m * 60_000L)).ToList();
        foreach (var name in new[] { "a", "b", "c", "d" })
        {
            await world.WriteAsync([Series(name, [.. times.Select(t => (t, (double)(t / 60_000 % 17)))])]);
        }

        await world.WriteAsync([new NaiveSeries(Labels.Of(("__name__", "up_total")), [.. times.Select(t => new NaiveSample(t, t / 1000.0))])]);
        return world;
    }

    private static NaiveSeries Series(string job, params (long TimeMs, double Value)[] samples) =>
        new(Labels.Of(("__name__", "up"), ("job", job)), [.. samples.Select(s => new NaiveSample(s.TimeMs, s.Value))]);

    private static long Ms(DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    private static Task<long> CachedStepsAsync(HttpClient client) => GaugeAsync(client, "metrics_query_cached_steps_total");

    private static async Task<long> GaugeAsync(HttpClient client, string name) => long.Parse(
        (await client.GetStringAsync("/metrics")).Split('\n').Single(l => l.StartsWith(name + " ", StringComparison.Ordinal)).Split(' ')[1], CultureInfo.InvariantCulture);

    private static long Samples(string body)
    {
        const string Name = "\"totalQueryableSamples\":";
        var at = body.IndexOf(Name, StringComparison.Ordinal) + Name.Length;
        return long.Parse(body.AsSpan(at, body.AsSpan(at).IndexOfAnyExceptInRange('0', '9')), CultureInfo.InvariantCulture);
    }
}
