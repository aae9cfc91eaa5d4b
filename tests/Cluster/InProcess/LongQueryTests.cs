using System.Collections.Concurrent;
using System.Diagnostics;
using Metrics.Gateway.FrontEnd;
using Metrics.Model;
using Metrics.PromQL;
using Xunit;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>A query that keeps a shard on another silo busy for minutes.</summary>
public sealed class LongQueryTests : IDisposable
{
    private const int Series = 64;

    // Each step sorts an hour of seconds for each series.
    private const string Heavy = "sum(quantile_over_time(0.5, m[1h:1s]))";

    private static readonly TenantId tenant = TenantId.Parse("team-a");

    private readonly long start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - 60_000;
    private readonly ConcurrentDictionary<ActivityTraceId, Activity> evaluating = new();
    private readonly ActivitySource source = new("LongQueryTests");
    private readonly ActivityListener listener;

    public LongQueryTests()
    {
        listener = new ActivityListener
        {
            ShouldListenTo = static s => s.Name is ClusterTracing.SourceName or "LongQueryTests",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStarted = span =>
            {
                if (span.OperationName == "shard.query")
                {
                    evaluating[span.TraceId] = span;
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
    }

    [Fact]
    public async Task ItEndsOnTheOtherSiloWithinASecondAfterItsClientHasGone()
    {
        await using var silos = await SiloCluster.StartAsync(2, 2, shardsPerTenant: 1);
        var gateway = await ElsewhereAsync(silos);
        using var client = new CancellationTokenSource();
        var (query, shard) = await BeginAsync(gateway, client.Token);

        await client.CancelAsync();
        var since = Stopwatch.StartNew();
        await Assert.ThrowsAnyAsync<Exception>(() => query);
        SpinWait.SpinUntil(() => shard.IsStopped, TimeSpan.FromSeconds(30));

        // A second, and what a busy machine takes besides.
        Assert.True(since.Elapsed < TimeSpan.FromSeconds(3), $"it went on for {since.Elapsed}");
    }

    [Fact]
    public async Task AppendsToTheSameShardGoThroughMeanwhileAndItIsSeenAndStoppedThroughAnotherSilo()
    {
        await using var silos = await SiloCluster.StartAsync(2, 2, shardsPerTenant: 1);
        var gateway = await ElsewhereAsync(silos);
        var active = new ActiveQueries(TimeProvider.System, gateway.ProcessName);
        gateway.ServeQueries(active);
        using var entered = active.Enter(tenant, new QueryRequest(Heavy, new TimeGrid(start, start + 3_600_000, 1000), IsRange: true), default);
        var (query, shard) = await BeginAsync(gateway, entered.Stopped);

        for (var i = 1; i <= 50; i++)
        {
            await silos.WriteAsync(silos.Silos[0], tenant, Series, start + i, i);
            await silos.WriteAsync(silos.Silos[1], tenant, Series, start + 1000 + i, i);
        }

        Assert.False(shard.IsStopped, "the query was over before the appends were: it was not long enough to tell");
        var other = silos.Silos.Select(silos.Gateway).Single(g => g != gateway);
        var listed = await other.QueriesElsewhereAsync(tenant, default);
        Assert.Empty(listed.Missing);
        var seen = Assert.Single(listed.Queries);
        Assert.Equal((Heavy, false, new TimeRange(start, start + 3_600_000), 1000), (seen.Text, seen.IsRunning, seen.Range, seen.StepMs));
        Assert.InRange(seen.Age, TimeSpan.Zero, TimeSpan.FromMinutes(10));
        Assert.True(await other.StopElsewhereAsync(tenant, ActiveQueries.ProcessOf(seen.Id), seen.Id, default));
        await Assert.ThrowsAnyAsync<Exception>(() => query);
        SpinWait.SpinUntil(() => shard.IsStopped, TimeSpan.FromSeconds(30));
        Assert.True(shard.IsStopped);
    }

    [Fact]
    public async Task ATenantSeesItsOwnQueriesOfAllGatewaysAndStopsNoOthers()
    {
        await using var silos = await SiloCluster.StartAsync(3, 2, shardsPerTenant: 1);
        var gateways = silos.Silos.Select(silos.Gateway).ToList();
        Assert.Equal(3, gateways.Select(static g => g.ProcessName).Distinct(StringComparer.Ordinal).Count());
        var stranger = TenantId.Parse("team-b");
        var joined = TenantId.Join([tenant, stranger]);
        var lists = gateways.ConvertAll(static g => new ActiveQueries(TimeProvider.System, g.ProcessName));
        gateways.Zip(lists).ToList().ForEach(static g => g.First.ServeQueries(g.Second));
        using var first = lists[0].Enter(tenant, new QueryRequest("first", TimeGrid.Instant(start), IsRange: false), default);
        using var second = lists[1].Enter(tenant, new QueryRequest("second", TimeGrid.Instant(start), IsRange: false), default);
        using var crossing = lists[1].Enter(joined, new QueryRequest("crossing", TimeGrid.Instant(start), IsRange: false), default);

        Assert.Equal(["first", "second"], (await gateways[2].QueriesElsewhereAsync(tenant, default)).Queries.Select(static q => q.Text).Order(StringComparer.Ordinal));
        Assert.Equal([$"{gateways[1].ProcessName}-1"], (await gateways[0].QueriesElsewhereAsync(tenant, default)).Queries.Select(static q => q.Id));
        Assert.Equal(["crossing"], (await gateways[2].QueriesElsewhereAsync(joined, default)).Queries.Select(static q => q.Text));
        Assert.Empty((await gateways[2].QueriesElsewhereAsync(stranger, default)).Queries);

        Assert.False(await StopAsync(stranger, 1, "1"));
        Assert.False(await StopAsync(tenant, 1, "2"));
        Assert.False(await StopAsync(tenant, 0, "2"));
        Assert.False(await gateways[2].StopElsewhereAsync(tenant, "none", "none-1", default));
        Assert.False(first.Stopped.IsCancellationRequested || second.Stopped.IsCancellationRequested || crossing.Stopped.IsCancellationRequested);
        Assert.True(await StopAsync(tenant, 1, "1"));
        Assert.Equal((false, true, false), (first.Stopped.IsCancellationRequested, second.Stopped.IsCancellationRequested, crossing.Stopped.IsCancellationRequested));

        ValueTask<bool> StopAsync(TenantId of, int at, string number) => gateways[2].StopElsewhereAsync(of, gateways[at].ProcessName, $"{gateways[at].ProcessName}-{number}", default);
    }

    [Fact]
    public async Task ASiloThatCannotSayWhichQueriesWaitIsLeftOutAndNamed()
    {
        await using var silos = await SiloCluster.StartAsync(2, 2, shardsPerTenant: 1);
        var (asked, failing) = (silos.Gateway(silos.Silos[0]), silos.Gateway(silos.Silos[1]));
        failing.ServeQueries(new FailingQueries());
        var listed = await asked.QueriesElsewhereAsync(tenant, default);
        Assert.Empty(listed.Queries);
        Assert.Contains($"{silos.Silos[1].SiloAddress}", Assert.Single(listed.Missing));
        await Assert.ThrowsAsync<IOException>(async () => await asked.StopElsewhereAsync(tenant, failing.ProcessName, failing.ProcessName + "-1", default));
    }

    public void Dispose()
    {
        listener.Dispose();
        source.Dispose();
    }

    /// <summary>The gateway of a silo that does not own the shard.</summary>
    private async Task<Grains.OrleansCluster> ElsewhereAsync(SiloCluster silos)
    {
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        var shard = (await silos.Gateway(silos.Silos[0]).OpenTenantAsync(tenant, default)).Shards[0].Id;
        return silos.Gateway(silos.Silos.First(s => silos.Node(s).Find(shard) is null));
    }

    /// <summary>The query, and its span in the shard, once the shard works on it.</summary>
    private async Task<(Task Query, Activity Shard)> BeginAsync(Grains.OrleansCluster gateway, CancellationToken client)
    {
        var shards = (await gateway.OpenTenantAsync(tenant, default)).Shards;
        var trace = new TaskCompletionSource<ActivityTraceId>(TaskCreationOptions.RunContinuationsAsynchronously);
        var query = Task.Run(async () =>
        {
            using var span = source.StartActivity("request")!;
            trace.SetResult(span.TraceId);

            // With a lookback of hours there is a value in every second.
            var request = new QueryRequest(Heavy, new TimeGrid(start, start + 3_600_000, 1000), IsRange: true) { LookbackMs = 7_200_000 };
            using var result = await new QueryEngine(new EngineOptions()).ExecuteAsync(request, shards, client);
        }, CancellationToken.None);
        var id = await trace.Task;
        Activity? span;
        for (var waited = Stopwatch.StartNew(); !evaluating.TryGetValue(id, out span); await Task.Delay(1, CancellationToken.None))
        {
            if (query.IsCompleted || waited.Elapsed > TimeSpan.FromSeconds(30))
            {
                await query.WaitAsync(TimeSpan.Zero, CancellationToken.None);
                throw new InvalidOperationException("the query was answered without its shard");
            }
        }

        return (query, span);
    }

    private sealed class FailingQueries : IListedQueries
    {
        public IReadOnlyList<ListedQuery> Of(TenantId of) => throw new TimeoutException();

        public bool Cancel(TenantId of, string id) => throw new TimeoutException();
    }
}
