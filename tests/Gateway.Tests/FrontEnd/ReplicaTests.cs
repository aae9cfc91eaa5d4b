using System.Net;
using FsCheck;
using FsCheck.Fluent;
using Metrics.Cluster;
using Metrics.Gateway.FrontEnd;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.Tests.Reference;
using Xunit;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Gateway.Tests.FrontEnd;

/// <summary>Replicas of one series as one: by themselves, and over HTTP.</summary>
public sealed class ReplicaTests
{
    private const string Stale = "x";

    [Theory]
    [InlineData("1 2 3 4 5", "", "1a 2a 3a 4a 5a")]
    [InlineData("1 2 3 4 5", "1 2 3 4 5", "1a 2a 3a 4a 5a")]
    [InlineData("1 2 3 8 9", "1.3 2.3 3.3 4.3 5.3 6.3 7.3 8.3 9.3", "1a 2a 3a 5.3b 6.3b 7.3b 8a 9a")]
    [InlineData("2 3 4", "1.3 2.3 3.3 4.3 5.3", "1.3b 2a 3a 4a")]
    [InlineData("1 2 3", "1.3 2.3 3.3 4.3 5.3", "1a 2a 3a 5.3b")]
    [InlineData("1 2 4 5", "1.3 2.3 3.3 4.3 5.3", "1a 2a 4a 5a")] // one scrape lost is no gap
    [InlineData("1 2 4 5", "1.6 2.6 3.6 4.6", "1a 2a 3.6b 5a")] // unless the other's comes late enough; then the next is too near
    [InlineData("1 2 3 4x", "1.3 2.3 3.3 4.3 5.3 6.3", "1a 2a 3a 4.3b 5.3b 6.3b")] // the replica went away, the target did not
    [InlineData("1 2 3 4x", "1.3 2.3 3.3 4.3x", "1a 2a 3a 4.3xa")]
    [InlineData("1 2 3 4x", "1 2 3 4x", "1a 2a 3a 4xa")]
    [InlineData("1 2 3 4 5", "1.3 2.3x", "1a 2a 3a 4a 5a")]
    [InlineData("1 2 3 4x", "8.3 9.3", "1a 2a 3a 4xa 8.3b 9.3b")]
    [InlineData("1 2 3", "8.3 9.3", "1a 2a 3a 8.3b 9.3b")]
    [InlineData("1 9 17", "1.3 2.3 3.3 4.3 5.3 6.3 7.3 8.3 9.3 10.3 11.3", "1a 3.3b 4.3b 5.3b 6.3b 7.3b 8.3b 9a 11.3b 17a")] // a replica that is up now and then
    [InlineData("1 2 3 3.1 4 5", "1.3 2.3 3.3 4.3 5.3", "1a 2a 3a 3.1a 4a 5a")] // a scrape that came early
    [InlineData("1", "2", "1a")]
    [InlineData("1", "31 32", "1a 31b 32b")]
    public void TheChainFollowsTheFirstReplicaAndTheNextWhereThatHasAGap(string a, string b, string chain)
    {
        using var first = Buffer(a, 0);
        using var second = Buffer(b, 1);
        using var into = new SampleBuffer();
        ReplicaChain.Merge(second.Count == 0 ? [first] : [first, second], long.MinValue, into, CancellationToken.None);
        Assert.Equal(chain, string.Join(' ', Enumerable.Range(0, into.Count).Select(i => Text(into, i))));
    }

    [Fact]
    public void TheChainIsAscendingAndMadeOfTheReplicasAndFillsTheGapsOfOneFromTheOther()
    {
        var replica = Gen.Choose(0, 9).ListOf(120).Select(static gaps => gaps.Select(static g => g == 0).ToArray());
        Check.QuickThrowOnFailure(Prop.ForAll(Gen.Two(replica).ToArbitrary(), static both =>
        {
            using var a = Scraped(both.Item1, 0);
            using var b = Scraped(both.Item2, 4000);
            using var whole = Scraped(new bool[120], 4000);
            var chain = Chain([a, b], long.MinValue);
            Assert.Equal(a.Count + b.Count == 0, chain.Count == 0);
            Assert.Subset(Points(a).Concat(Points(b)).ToHashSet(), chain.ToHashSet());

            // Never the distance of two replicas' scrapes.
            Assert.All(chain.Zip(chain.Skip(1)), static pair => Assert.True(pair.Second.Time - pair.First.Time > 5000, $"{pair}"));

            // No hole that is longer than it takes to see that a replica has gone.
            var filled = Chain([a, whole], long.MinValue);
            Assert.All(filled.Zip(filled.Skip(1)), static pair => Assert.InRange(pair.Second.Time - pair.First.Time, 5001, 25_000));
            Assert.Equal(Points(whole), Chain([whole, a], 4000));
        }));
    }

    [Fact]
    public void TheChainOfARangeIsThatOfTheWholeThere()
    {
        // From several samples a second to none for a while, at one instant or one after another, with stale markers.
        var distance = from unit in Gen.Elements(100, 5000, 15_000, 60_000) from factor in Gen.Choose(1, 6) select (long)unit * factor;
        var sample = from d in distance from stale in Gen.Choose(0, 7) select (Distance: d, IsStale: stale == 0);
        var worlds = from replicas in sample.ListOf(150).ListOf(3) from at in Gen.Choose(0, 99) from length in Gen.Choose(0, 99) select (replicas, at, length);
        Check.QuickThrowOnFailure(Prop.ForAll(worlds.ToArbitrary(), static world =>
        {
            var buffers = world.replicas.Select(static (samples, number) =>
            {
                var buffer = new SampleBuffer();
                var time = 0L;
                foreach (var (distance, isStale) in samples)
                {
                    buffer.Add(time += distance, isStale ? StaleMarker.Value : number);
                }

                return buffer;
            }).ToArray();
            var end = buffers.Max(static b => b.Times[^1]);
            var (from, to) = (end * world.at / 100, end * (world.at + world.length) / 100);
            var whole = Chain(buffers, long.MinValue);
            var parts = buffers.Select(b => Part(b, from - ReplicaChain.ReachMs, to)).ToArray();
            Assert.Equal(whole.Where(p => p.Time >= from && p.Time <= to), Chain(parts, from));
            Assert.All(whole.Zip(whole.Skip(1)), static pair => Assert.True(pair.First.Time < pair.Second.Time, $"{pair}"));
            foreach (var buffer in buffers.Concat(parts))
            {
                buffer.Dispose();
            }
        }));
    }

    [Fact]
    public async Task QueriesSeeOneSeriesForAllReplicasUnlessToldOtherwise()
    {
        await using var world = await PairAsync();
        using var client = await world.ServeAsync(static _ => { });
        using var configured = await world.ServeAsync(static o => o.Query.ReplicaLabels = ["replica"]);
        const string pair = """{"resultType":"vector","result":[{"metric":{},"value":[600,"2"]}]}""";
        const string one = """{"resultType":"vector","result":[{"metric":{},"value":[600,"1"]}]}""";
        foreach (var (from, parameters, want) in new[]
        {
            (client, "", pair),
            (client, "&replicaLabels[]=replica", one),
            (client, "&replicaLabels=other,replica", one),
            (client, "&replicaLabels[]=replica&dedup=false", pair),
            (client, "&replicaLabels[]=other", pair),
            (configured, "", one),
            (configured, "&dedup=0", pair),
            (configured, "&replicaLabels[]=other", pair),
        })
        {
            Assert.Equal($$"""{"status":"success","data":{{want}}}""", await from.GetStringAsync("/api/v1/query?query=count(up)&time=600" + parameters));
        }

        // A slope of 1 per second, although one replica has nothing from 5 to 8 minutes and the other is two seconds behind.
        Assert.Equal(
            """{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[600,"1"]}]}}""",
            await client.GetStringAsync("/api/v1/query?query=round(deriv(up[9m]),0.01)&time=600&replicaLabels[]=replica"));
        Assert.Equal(
            """{"status":"success","data":[{"__name__":"up","job":"a"}]}""", await client.GetStringAsync("/api/v1/series?match[]=up&replicaLabels[]=replica&limit=1"));
        Assert.Contains("results truncated", await client.GetStringAsync("/api/v1/series?match[]=up&limit=1"), StringComparison.Ordinal);
        using var bad = await client.GetAsync("/api/v1/query?query=up&dedup=maybe");
        Assert.Equal(HttpStatusCode.BadRequest, bad.StatusCode);
        Assert.Contains("'dedup' parameter: strconv.ParseBool: parsing \\\"maybe\\\": invalid syntax", await bad.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ShardsAreReadSideBySideUntilOneFails()
    {
        var cluster = new FakeCluster();
        IShard[] shards = [.. cluster["a"].Shards, .. cluster["b"].Shards];
        var selection = new SeriesSelection([], new TimeRange(0, 1000), new SelectionHints());
        var (begun, both) = (0, new TaskCompletionSource());
        cluster.Reading = async cancellation =>
        {
            if (Interlocked.Increment(ref begun) == 2)
            {
                both.SetResult();
            }

            await both.Task.WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        };
        using (var set = await Source().SelectAsync(selection, CancellationToken.None))
        {
            Assert.Equal(0, set.Count);
        }

        begun = 0;
        cluster.Reading = cancellation => Interlocked.Increment(ref begun) == 1 ? Task.Delay(Timeout.Infinite, cancellation) : throw new ShardUnavailableException(shards[1].Id, "its silo is gone");
        var failure = await Assert.ThrowsAsync<QueryException>(async () => await Source().SelectAsync(selection, CancellationToken.None));
        Assert.Equal((QueryErrorKind.Unavailable, $"shard {shards[1].Id} is unavailable: its silo is gone"), (failure.Kind, failure.Message));

        ReplicaSource Source() => new(shards, ["replica"], 1000, QueryBounds.None, new QueryMemory(0, 1), missing: null);
    }

    [Fact]
    public async Task APartialAnswerSaysWhatItLacks()
    {
        await using var app = await GatewayApp.StartAsync(execute: async (request, leaves, cancellation) =>
        {
            foreach (var leaf in leaves)
            {
                (await leaf.RunAsync(null!, cancellation)).Dispose();
            }

            return GatewayApp.Result(ValueType.Vector);
        });
        await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=up", (1000, 1))));
        app.Cluster.QueryFailure = new QueryException(QueryErrorKind.Unavailable, "shard 0 is away");
        var (status, body) = await app.GetAsync("/api/v1/query?query=up");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, """{"status":"error","errorType":"unavailable","error":"shard 0 is away"}"""), (status, body));
        (status, body) = await app.GetAsync("/api/v1/query?query=up&partial_response=true");
        Assert.Equal((HttpStatusCode.OK, """{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["shard 0 is away"]}"""), (status, body));
    }

    [Theory]
    [InlineData("")]
    [InlineData("&replicaLabels[]=replica")]
    public async Task APartialAnswerIsNeitherKeptNorRemembered(string replicas)
    {
        await using var app = await GatewayApp.StartAsync(execute: new QueryEngine(new EngineOptions()).ExecuteAsync);
        var path = $"/api/v1/query_range?query=up&start=0&end=600&step=60&partial_response=true{replicas}";
        var away = new ShardUnavailableException(app.Cluster["default"].Shards[0].Id, "its silo is gone");
        app.Cluster.History = new ShardHistory(1, 0, long.MaxValue);
        (app.Cluster.Answer, app.Cluster.QueryFailure, app.Cluster.Reading) = (static () => new FragmentResult(), away, _ => throw away);
        for (var i = 0; i < 2; i++)
        {
            using var partial = await app.AskAsync(HttpMethod.Get, path, null);
            Assert.Contains("\"warnings\":[\"shard default", await partial.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            Assert.True(partial.Headers.CacheControl?.NoStore);
        }

        (app.Cluster.QueryFailure, app.Cluster.Reading) = (null, static _ => Task.CompletedTask);
        foreach (var cached in new[] { 0, 11, 22 })
        {
            using var whole = await app.AskAsync(HttpMethod.Get, path, null);
            Assert.DoesNotContain("warnings", await whole.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            Assert.Null(whole.Headers.CacheControl);
            Assert.Contains($"metrics_query_cached_steps_total {cached}\n", (await app.GetAsync("/metrics")).Body, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ReplicasOfShardsThatAreAwayAreLeftOutWhereThatWillDo()
    {
        await using var app = await GatewayApp.StartAsync(execute: new QueryEngine(new EngineOptions()).ExecuteAsync);
        var shard = app.Cluster["default"].Shards[0].Id;
        app.Cluster.Reading = _ => throw new ShardUnavailableException(shard, "its silo is gone");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await app.GetAsync("/api/v1/query?query=up&replicaLabels[]=replica")).Status);
        var (status, body) = await app.GetAsync("/api/v1/query?query=up&replicaLabels[]=replica&partial_response=true");

        Assert.Equal((HttpStatusCode.OK, $$"""{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["shard {{shard}} is unavailable: its silo is gone"]}"""), (status, body));
    }

    /// <summary>Ten minutes of a counter that grows by one a second, scraped every 15 s by two replicas.</summary>
    private static async Task<StoredSeries> PairAsync()
    {
        var world = new StoredSeries();
        world.Time.Now = DateTimeOffset.UnixEpoch.AddMinutes(11);
        foreach (var (replica, late) in new[] { ("0", 0), ("1", 2000) })
        {
            var samples = Enumerable.Range(0, 40).Select(i => (i * 15_000L) + late).Where(t => replica == "1" || t is < 300_000 or > 480_000).Select(t => new NaiveSample(t, t / 1000.0)).ToList();
            await world.WriteAsync([new NaiveSeries(Labels.Of(("__name__", "up"), ("job", "a"), ("replica", replica)), samples)]);
        }

        return world;
    }

    /// <summary>A sample every 10 s save where there is a gap; the value is the time.</summary>
    private static SampleBuffer Scraped(bool[] gaps, long lateMs)
    {
        var buffer = new SampleBuffer();
        for (var i = 0; i < gaps.Length; i++)
        {
            if (!gaps[i])
            {
                buffer.Add((i * 10_000L) + lateMs, lateMs + i);
            }
        }

        return buffer;
    }

    private static List<(long Time, double Value)> Chain(SampleBuffer[] replicas, long fromMs)
    {
        using var into = new SampleBuffer();
        ReplicaChain.Merge(replicas, fromMs, into, CancellationToken.None);
        return [.. Points(into)];
    }

    private static SampleBuffer Part(SampleBuffer of, long fromMs, long toMs)
    {
        var part = new SampleBuffer();
        for (var i = 0; i < of.Count; i++)
        {
            if (of.Times[i] >= fromMs && of.Times[i] <= toMs)
            {
                part.AddFrom(of, i);
            }
        }

        return part;
    }

    private static IEnumerable<(long Time, double Value)> Points(SampleBuffer buffer) => Enumerable.Range(0, buffer.Count).Select(i => (buffer.Times[i], buffer.Values[i]));

    private static SampleBuffer Buffer(string times, double value)
    {
        var buffer = new SampleBuffer();
        foreach (var time in times.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            buffer.Add((long)(decimal.Parse(time.TrimEnd(Stale[0]), System.Globalization.CultureInfo.InvariantCulture) * 10_000), time.EndsWith(Stale, StringComparison.Ordinal) ? StaleMarker.Value : value);
        }

        return buffer;
    }

    private static string Text(SampleBuffer buffer, int i)
    {
        var time = (buffer.Times[i] / 10_000m).ToString("0.#", System.Globalization.CultureInfo.InvariantCulture);
        return StaleMarker.Is(buffer.Values[i]) ? time + "xa" : time + "ab"[(int)buffer.Values[i]];
    }
}
