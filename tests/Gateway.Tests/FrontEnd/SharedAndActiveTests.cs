using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Metrics.PromQL;
using Microsoft.Extensions.Logging;
using Xunit;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.Gateway.Tests.FrontEnd;

/// <summary>Queries in progress: shared, listed, stopped, logged when slow. The engine is a stand-in that waits until it is let go.</summary>
public sealed class SharedAndActiveTests
{
    [Fact]
    public async Task IdenticalQueriesInProgressAreOneEvaluation()
    {
        var engine = new HeldEngine();
        await using var app = await GatewayApp.StartAsync(execute: engine.ExecuteAsync);
        const string query = "/api/v1/query?query=up&time=5";
        var first = app.GetAsync(query);
        await engine.RunningAsync(1);
        var same = Enumerable.Range(0, 5).Select(_ => app.GetAsync(query)).ToList();
        var other = app.GetAsync("/api/v1/query?query=up&time=6");
        var another = app.GetAsync(query, ("X-Scope-OrgID", "other"));
        var alone = app.GetAsync(query, ("Cache-Control", "no-cache, no-store"));
        await engine.RunningAsync(4);
        await JoinedAsync(app, 5);
        engine.Release();
        var answers = await Task.WhenAll([first, .. same, other, another, alone]);
        Assert.All(answers, a => Assert.Equal(HttpStatusCode.OK, a.Status));
        Assert.All(answers[1..6], a => Assert.Equal(answers[0].Body, a.Body));
        Assert.Equal(4, engine.Started);

        // What has been answered is not answered again from memory.
        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync(query)).Status);
        Assert.Equal(5, engine.Started);
    }

    [Fact]
    public async Task OneWhoLeavesTakesNobodyElsesAnswerAndTheLastOneStopsTheWork()
    {
        var engine = new HeldEngine();
        await using var app = await GatewayApp.StartAsync(execute: engine.ExecuteAsync);
        using var firstLeaves = new CancellationTokenSource();
        using var secondLeaves = new CancellationTokenSource();
        var first = app.Http.GetAsync("/api/v1/query?query=up&time=5", firstLeaves.Token);
        await engine.RunningAsync(1);
        var second = app.Http.GetAsync("/api/v1/query?query=up&time=5", secondLeaves.Token);
        await JoinedAsync(app, 1);
        await firstLeaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await ActiveAsync(app, 1);
        Assert.Equal(0, engine.Cancelled);
        await secondLeaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await engine.CancelledAsync();
    }

    [Fact]
    public async Task ATenantSeesAndStopsItsOwnQueriesOnly()
    {
        var engine = new HeldEngine();
        await using var app = await GatewayApp.StartAsync(execute: engine.ExecuteAsync);
        var mine = app.GetAsync("/api/v1/query_range?query=sum(up)&start=10&end=20&step=0.5");
        await engine.RunningAsync(1);
        using var listed = JsonDocument.Parse((await app.GetAsync("/api/v1/status/active_queries")).Body);
        var query = Assert.Single(listed.RootElement.GetProperty("data").GetProperty("activeQueries").EnumerateArray().ToList());
        Assert.Equal("sum(up)", query.GetProperty("query").GetString());
        Assert.Equal("running", query.GetProperty("state").GetString());
        Assert.Equal((10m, 20m, 0.5m), (query.GetProperty("start").GetDecimal(), query.GetProperty("end").GetDecimal(), query.GetProperty("step").GetDecimal()));
        var path = "/api/v1/status/active_queries/" + query.GetProperty("id").GetString();
        Assert.Equal("""{"status":"success","data":{"activeQueries":[]}}""", (await app.GetAsync("/api/v1/status/active_queries", ("X-Scope-OrgID", "other"))).Body);
        Assert.Equal(HttpStatusCode.NotFound, (await app.SendAsync(HttpMethod.Delete, path, null, ("X-Scope-OrgID", "other"))).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await app.SendAsync(HttpMethod.Delete, path + "7", null)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await app.SendAsync(HttpMethod.Delete, "/api/v1/status/active_queries/x", null)).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await app.SendAsync(HttpMethod.Delete, path, null)).Status);
        Assert.Equal(((HttpStatusCode)499, """{"status":"error","errorType":"canceled","error":"query was canceled in expression evaluation"}"""), await mine);
        await engine.CancelledAsync();
        Assert.Equal(HttpStatusCode.NotFound, (await app.SendAsync(HttpMethod.Delete, path, null)).Status);
    }

    [Fact]
    public async Task QueriesOfEveryGatewayAreSeenAndStoppedThroughAnyAndOneThatIsSilentIsAWarning()
    {
        const string path = "/api/v1/status/active_queries";
        var (here, there) = (new HeldEngine(), new HeldEngine());
        await using var one = await GatewayApp.StartAsync(execute: here.ExecuteAsync, process: "0000000a");
        await using var other = await GatewayApp.StartAsync(execute: there.ExecuteAsync, process: "0000000b");
        one.Cluster.Others.Add(other.Cluster);
        other.Cluster.Others.Add(one.Cluster);
        var elsewhere = other.GetAsync("/api/v1/query_range?query=sum(up)&start=10&end=20&step=0.5");
        await there.RunningAsync(1);
        var mine = one.GetAsync("/api/v1/query?query=max(up)&time=5");
        await here.RunningAsync(1);

        foreach (var app in new[] { one, other })
        {
            using var listed = JsonDocument.Parse((await app.GetAsync(path)).Body);
            var queries = listed.RootElement.GetProperty("data").GetProperty("activeQueries").EnumerateArray().ToList();
            Assert.Equal([("0000000b-1", "sum(up)", 10m, 20m, 0.5m), ("0000000a-1", "max(up)", 5m, 5m, 0m)], queries.Select(Fields).OrderByDescending(static q => q.Id));
            Assert.False(listed.RootElement.TryGetProperty("warnings", out _));
        }

        // Another tenant neither sees nor stops them, whichever gateway it asks.
        Assert.Equal("""{"status":"success","data":{"activeQueries":[]}}""", (await one.GetAsync(path, ("X-Scope-OrgID", "stranger"))).Body);
        Assert.Equal(HttpStatusCode.NotFound, (await one.SendAsync(HttpMethod.Delete, path + "/0000000b-1", null, ("X-Scope-OrgID", "stranger"))).Status);
        foreach (var unknown in new[] { "0000000b-2", "0000000c-1", "1", "-1", "0000000b-", "0000000a-x", "0000000b--1" })
        {
            Assert.Equal(HttpStatusCode.NotFound, (await one.SendAsync(HttpMethod.Delete, $"{path}/{unknown}", null)).Status);
        }

        other.Cluster.IsSilent = true;
        var partial = (await one.GetAsync(path)).Body;
        Assert.Contains("max(up)", partial);
        Assert.DoesNotContain("sum(up)", partial);
        Assert.Contains("\"warnings\":[\"silo 0000000b did not answer: its queries are missing\"]", partial);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await one.SendAsync(HttpMethod.Delete, path + "/0000000b-1", null)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await one.SendAsync(HttpMethod.Delete, path + "/0000000c-1", null)).Status);

        other.Cluster.IsSilent = false;
        Assert.Equal(HttpStatusCode.NoContent, (await one.SendAsync(HttpMethod.Delete, path + "/0000000b-1", null)).Status);
        Assert.Equal((HttpStatusCode)499, (await elsewhere).Status);
        await there.CancelledAsync();
        Assert.Equal(0, here.Cancelled);
        Assert.Equal(HttpStatusCode.NoContent, (await other.SendAsync(HttpMethod.Delete, path + "/0000000a-1", null)).Status);
        Assert.Equal((HttpStatusCode)499, (await mine).Status);

        static (string Id, string Query, decimal Start, decimal End, decimal Step) Fields(JsonElement query) => (
            query.GetProperty("id").GetString()!, query.GetProperty("query").GetString()!, query.GetProperty("start").GetDecimal(), query.GetProperty("end").GetDecimal(), query.GetProperty("step").GetDecimal());
    }

    [Fact]
    public async Task SlowQueriesAreLoggedWithWhatTheyCost()
    {
        await using var world = new StoredSeries();
        var log = new CollectedLog();
        using var slow = await world.ServeAsync(o => o.FrontEnd.SlowQueryThreshold = TimeSpan.FromTicks(1), l => l.AddProvider(log));
        using var fast = await world.ServeAsync(o => o.FrontEnd.SlowQueryThreshold = TimeSpan.FromHours(1), l => l.AddProvider(log));
        using var never = await world.ServeAsync(o => o.FrontEnd.SlowQueryThreshold = TimeSpan.Zero, l => l.AddProvider(log));
        foreach (var client in new[] { slow, fast, never })
        {
            await StoredSeries.RangeAsync(client, "sum(up)", 1000, 2000, 500);
        }

        var entry = Assert.Single(log.Entries, e => e.Fields.ContainsKey("DurationSeconds"));
        Assert.Equal(("default", "sum(up)", 1000L, 2000L, 500L), (entry.Fields["Tenant"], entry.Fields["Query"], entry.Fields["StartMs"], entry.Fields["EndMs"], entry.Fields["StepMs"]));
        Assert.True((double)entry.Fields["DurationSeconds"]! > 0);
        Assert.Contains("Samples", entry.Fields);
        Assert.Contains("TraceId", entry.Fields);
    }

    /// <summary>Waits until so many wait for the answer of another: who is in the list of active queries is only on the way there.</summary>
    private static async Task JoinedAsync(GatewayApp app, int count)
    {
        var wanted = $"metrics_query_shared_total {count}\n";
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!(await app.GetAsync("/metrics")).Body.Contains(wanted, StringComparison.Ordinal))
        {
            patience.Token.ThrowIfCancellationRequested();
        }
    }

    private static async Task ActiveAsync(GatewayApp app, int count)
    {
        // Other tenants' are not in the list.
        for (var text = ""; text.Split("\"id\"").Length - 1 != count;)
        {
            text = (await app.GetAsync("/api/v1/status/active_queries")).Body;
        }
    }

    private sealed class HeldEngine
    {
        private readonly TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly SemaphoreSlim running = new(0);
        private int started;
        private int ended;

        public int Started => Volatile.Read(ref started);

        public int Cancelled => Volatile.Read(ref ended);

        public async ValueTask<QueryResult> ExecuteAsync(QueryRequest request, IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation)
        {
            Interlocked.Increment(ref started);
            running.Release();
            try
            {
                await released.Task.WaitAsync(cancellation);
            }
            catch (OperationCanceledException)
            {
                Interlocked.Increment(ref ended);
                cancelled.TrySetResult();
                throw;
            }

            return GatewayApp.Result(request.IsRange ? ValueType.Matrix : ValueType.Vector, ("a=b", [(1000, 1)]));
        }

        public async Task RunningAsync(int count)
        {
            for (var i = Started; i <= count && Started < count; i++)
            {
                await running.WaitAsync(TimeSpan.FromSeconds(30));
            }
        }

        public Task CancelledAsync() => cancelled.Task.WaitAsync(TimeSpan.FromSeconds(30));

        public void Release() => released.SetResult();
    }

    private sealed class CollectedLog : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<(string Message, Dictionary<string, object?> Fields)> Entries { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Entries.Enqueue(
            (formatter(state, exception), state is IEnumerable<KeyValuePair<string, object?>> fields ? fields.ToDictionary(f => f.Key, f => f.Value, StringComparer.Ordinal) : []));

        public void Dispose()
        {
        }
    }
}
