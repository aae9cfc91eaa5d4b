using System.Collections.Concurrent;
using System.Diagnostics;
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
    public async Task AppendsToTheSameShardGoThroughMeanwhile()
    {
        await using var silos = await SiloCluster.StartAsync(2, 2, shardsPerTenant: 1);
        var gateway = await ElsewhereAsync(silos);
        using var client = new CancellationTokenSource();
        var (query, shard) = await BeginAsync(gateway, client.Token);

        for (var i = 1; i <= 50; i++)
        {
            await silos.WriteAsync(silos.Silos[0], tenant, Series, start + i, i);
            await silos.WriteAsync(silos.Silos[1], tenant, Series, start + 1000 + i, i);
        }

        Assert.False(shard.IsStopped, "the query was over before the appends were: it was not long enough to tell");
        await client.CancelAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => query);
    }

    public void Dispose()
    {
        listener.Dispose();
        source.Dispose();
    }

    /// <summary>The gateway of the silo that does not own the shard.</summary>
    private async Task<Grains.OrleansCluster> ElsewhereAsync(SiloCluster silos)
    {
        await silos.WriteAsync(silos.Silos[0], tenant, Series, start, 1);
        var shard = (await silos.Gateway(silos.Silos[0]).OpenTenantAsync(tenant, default)).Shards[0].Id;
        return silos.Gateway(silos.Silos.Single(s => silos.Node(s).Find(shard) is null));
    }

    /// <summary>The query, and its span in the shard, once the shard works on it.</summary>
    private async Task<(Task Query, Activity Shard)> BeginAsync(Grains.OrleansCluster gateway, CancellationToken client)
    {
        var shards = (await gateway.OpenTenantAsync(tenant, default)).Shards;
        var trace = new TaskCompletionSource<ActivityTraceId>();
        var query = Task.Run(async () =>
        {
            using var span = source.StartActivity("request")!;
            trace.SetResult(span.TraceId);

            // With a lookback of hours there is a value in every second.
            var request = new QueryRequest(Heavy, new TimeGrid(start, start + 3_600_000, 1000), IsRange: true) { LookbackMs = 7_200_000 };
            using var result = await new QueryEngine(new EngineOptions()).ExecuteAsync(request, shards, client);
        }, CancellationToken.None);
        var id = await trace.Task;
        Activity? span = null;
        SpinWait.SpinUntil(() => evaluating.TryGetValue(id, out span), TimeSpan.FromSeconds(30));
        return (query, span ?? throw new TimeoutException("the shard was not asked"));
    }
}
