using System.Net;
using Metrics.Gateway.HaDedup;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests.HaDedup;

/// <summary>Pairs of senders in front of several gateways: one replica is listened to at all of them.</summary>
public sealed class SharedElectionTests
{
    private readonly ManualTime time = new();

    [Fact]
    public async Task OneReplicaIsTakenWhicheverGatewayItSendsTo()
    {
        await using var two = await TwoGateways.StartAsync(time);
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(0, "a", 1));
        Assert.Equal(HttpStatusCode.Accepted, await two.WriteAsync(1, "b", 2));
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(1, "a", 3));
        Assert.Equal(HttpStatusCode.Accepted, await two.WriteAsync(0, "b", 4));
        Assert.Equal(["up{cluster=\"c\"} 1 1"], two.Samples(0));
        Assert.Equal(["up{cluster=\"c\"} 3 1"], two.Samples(1));
    }

    [Fact]
    public async Task GatewaysAskOnceEveryUpdateIntervalAndNotWithEveryWrite()
    {
        await using var two = await TwoGateways.StartAsync(time);
        for (var second = 0; second < 60; second++)
        {
            Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(0, "a", second));
            Assert.Equal(HttpStatusCode.Accepted, await two.WriteAsync(1, "b", second));
            time.Move(TimeSpan.FromSeconds(1));
        }

        // The one that hears the elected replica tells it four times; the other asks when what it knows has run out.
        Assert.InRange(two.Elector.Questions, 5, 9);
    }

    [Fact]
    public async Task TheOtherTakesOverAtEveryGatewayWhenTheElectedOneFallsSilent()
    {
        await using var two = await TwoGateways.StartAsync(time);
        await two.WriteAsync(0, "a", 1);
        Assert.Equal(HttpStatusCode.Accepted, await two.WriteAsync(1, "b", 2));
        time.Move(TimeSpan.FromSeconds(30));
        Assert.Equal(HttpStatusCode.Accepted, await two.WriteAsync(1, "b", 3));
        time.Move(TimeSpan.FromMilliseconds(1));
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(1, "b", 4));
        Assert.Equal(HttpStatusCode.Accepted, await two.WriteAsync(0, "a", 5));
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(0, "b", 6));
        Assert.Equal((0, 1), (await two.FailoversAsync(0), await two.FailoversAsync(1)));
    }

    [Fact]
    public async Task WhileTheElectorIsAwayTheReplicaKnownLastIsTakenAndTheOtherKeepsItsSamples()
    {
        await using var two = await TwoGateways.StartAsync(time);
        await two.WriteAsync(0, "a", 1);
        Assert.Equal(HttpStatusCode.Accepted, await two.WriteAsync(1, "b", 1));
        two.Elector.IsAway = true;
        time.Move(TimeSpan.FromSeconds(20));
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(0, "a", 2));
        Assert.Equal(HttpStatusCode.Accepted, await two.WriteAsync(1, "b", 2));
        time.Move(TimeSpan.FromSeconds(20));
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(0, "a", 3));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await two.WriteAsync(1, "b", 3));

        // It is back: a is elected still, for the gateway that listens to it says so.
        two.Elector.IsAway = false;
        two.Elector.Move();
        time.Move(TimeSpan.FromSeconds(5));
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(0, "a", 4));
        await two.UntilAskedAsync(() => two.WriteAsync(1, "b", 4), HttpStatusCode.Accepted);
        Assert.Empty(two.Samples(1));
    }

    [Fact]
    public async Task AnElectorThatStaysAwayLeavesEachGatewayToItselfUntilItIsBack()
    {
        await using var two = await TwoGateways.StartAsync(time);
        await two.WriteAsync(0, "a", 1);
        await two.WriteAsync(1, "b", 1);
        two.Elector.IsAway = true;
        time.Move(TimeSpan.FromSeconds(31));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await two.WriteAsync(1, "b", 2));
        time.Move(TimeSpan.FromSeconds(30));
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(1, "b", 3));
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(0, "a", 3));

        two.Elector.IsAway = false;
        time.Move(TimeSpan.FromSeconds(6));
        await two.UntilAskedAsync(() => two.WriteAsync(1, "b", 4), HttpStatusCode.NoContent);
        await two.UntilAskedAsync(() => two.WriteAsync(0, "a", 4), HttpStatusCode.Accepted);
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(1, "b", 5));
    }

    [Fact]
    public async Task AnElectorThatMovedGoesByWhatTheFirstGatewayKnows()
    {
        await using var two = await TwoGateways.StartAsync(time);
        await two.WriteAsync(0, "a", 1);
        await two.WriteAsync(1, "b", 1);
        time.Move(TimeSpan.FromSeconds(29));
        await two.WriteAsync(0, "a", 2);
        two.Elector.Move();
        time.Move(TimeSpan.FromSeconds(2));
        Assert.Equal(HttpStatusCode.Accepted, await two.WriteAsync(1, "b", 3));
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(0, "a", 3));
    }

    [Fact]
    public async Task TheLimitOnPairsHoldsOverAllGateways()
    {
        await using var two = await TwoGateways.StartAsync(time, maxClusters: 1);
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(0, "a", 1));
        Assert.Equal(HttpStatusCode.BadRequest, await two.WriteAsync(1, "a", 1, "other"));
        Assert.Equal(HttpStatusCode.BadRequest, await two.WriteAsync(1, "a", 2, "third"));
        Assert.Equal(HttpStatusCode.NoContent, await two.WriteAsync(1, "a", 3));
    }

    [Fact]
    public async Task NoTwoReplicasAreTakenWithinTheTimeThatAnElectionHoldsWhateverComesWhere()
    {
        var changes = 0;
        for (var seed = 1; seed <= 300; seed++)
        {
            var random = new Random(seed);
            var clock = new ManualTime();
            var elector = new SharedElector(clock, answersLater: false);
            var gateways = Enumerable.Range(0, 3).Select(_ => new ReplicaElections(elector, clock, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(15))).ToList();
            var (taken, takenAt) = ("", DateTimeOffset.MinValue);
            for (var step = 0; step < 400; step++)
            {
                clock.Move(TimeSpan.FromMilliseconds(random.Next(20) == 0 ? random.Next(60_000) : random.Next(3000)));
                var replica = random.Next(3) == 0 ? "b" : "a";
                if (!await gateways[random.Next(3)].AdmitsAsync(TenantId.Parse("t"), "c", replica, 10))
                {
                    continue;
                }

                // The elector may have heard of it an update interval before it was last taken.
                Assert.True(taken == replica || clock.GetUtcNow() - takenAt > TimeSpan.FromSeconds(15), $"seed {seed}, step {step}: {replica} was taken {clock.GetUtcNow() - takenAt} after {taken}");
                changes += taken.Length > 0 && taken != replica ? 1 : 0;
                (taken, takenAt) = (replica, clock.GetUtcNow());
            }
        }

        Assert.True(changes > 100, $"{changes} fail-overs show little");
    }

    /// <summary>Two gateways with clusters of their own, so that what each takes can be told apart, and one elector.</summary>
    private sealed class TwoGateways(SharedElector elector, GatewayApp[] apps) : IAsyncDisposable
    {
        public SharedElector Elector => elector;

        public static async Task<TwoGateways> StartAsync(ManualTime time, int maxClusters = 100)
        {
            var elector = new SharedElector(time, answersLater: true);
            var apps = new GatewayApp[2];
            for (var i = 0; i < apps.Length; i++)
            {
                apps[i] = await GatewayApp.StartAsync(options => (options.Limits.AcceptHaSamples, options.Limits.HaMaxClusters) = (true, maxClusters), time: time, elector: elector);
            }

            return new TwoGateways(elector, apps);
        }

        public async Task<HttpStatusCode> WriteAsync(int gateway, string replica, long timeMs, string cluster = "c") =>
            (await apps[gateway].WriteAsync(WriteMessage.Of(WriteMessage.Series($"__name__=up,__replica__={replica},cluster={cluster}", (timeMs, 1))))).Status;

        /// <summary>Writes until the answer to a question behind the writes is there.</summary>
        public async Task UntilAskedAsync(Func<Task<HttpStatusCode>> write, HttpStatusCode wanted)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            while (await write() != wanted)
            {
                await Task.Yield();
                patience.Token.ThrowIfCancellationRequested();
            }
        }

        public IReadOnlyList<string> Samples(int gateway) => apps[gateway].Cluster["default"].Samples;

        public async Task<int> FailoversAsync(int gateway) =>
            int.Parse((await apps[gateway].GetAsync("/metrics")).Body.Split('\n').Single(static l => l.StartsWith("metrics_ha_failovers_total ", StringComparison.Ordinal)).Split(' ')[1]);

        public async ValueTask DisposeAsync()
        {
            foreach (var app in apps)
            {
                await app.DisposeAsync();
            }
        }
    }
}
