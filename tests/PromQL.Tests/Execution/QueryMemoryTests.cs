using Metrics.Model;
using Metrics.PromQL.Tests.Exchange;
using Xunit;

namespace Metrics.PromQL.Tests.Execution;

/// <summary>The memory of queries: counted while they run, bounded, and given back whatever happens.</summary>
public sealed class QueryMemoryTests
{
    private static readonly TimeGrid steps = new(600_000, 900_000, 1_000);

    [Theory]
    [InlineData("m")]
    [InlineData("sum by (i) (rate(m[1m]))")]
    [InlineData("quantile(0.5, m) or m")]
    [InlineData("m[1m]")]
    public async Task AnAnswerIsCountedUntilItIsDisposedAndNothingIsLeft(string query)
    {
        foreach (var isWired in new[] { false, true })
        {
            var memory = new QueryMemory(0, 1);
            var isMatrix = query.EndsWith(']');
            using (var result = await RunAsync(memory, query, isMatrix ? TimeGrid.Instant(900_000) : steps, QueryBounds.None, isWired))
            {
                Assert.Equal(result.EstimatedBytes, memory.Held);
                Assert.True(memory.Held >= 16L * result.Series.Sum(static s => s.Points.Count));
            }

            Assert.Equal(0, memory.Held);
        }
    }

    [Fact]
    public async Task AQueryThatHoldsMuchIsRefusedBeyondTheBoundAndOneThatHoldsLittleIsNot()
    {
        // 200 series of 301 points take about a megabyte; one takes 5 kB.
        var memory = new QueryMemory(100_000, 2);
        var e = await Assert.ThrowsAsync<QueryException>(async () => (await RunAsync(memory, "m", steps, QueryBounds.None, false)).Dispose());
        Assert.Equal((QueryErrorKind.Overloaded, 1L, 0L), (e.Kind, memory.Refused, memory.Held));
        Assert.Contains("query.max_inflight_bytes", e.Message, StringComparison.Ordinal);

        using var other = memory.Open(QueryBounds.None);
        other.Take(99_000);
        (await RunAsync(memory, "m{i=\"1\"}", steps, QueryBounds.None, false)).Dispose();
        Assert.Equal(99_000, memory.Held);

        // While the bound is reached, nobody begins.
        other.Take(1_000);
        await Assert.ThrowsAsync<QueryException>(async () => (await RunAsync(memory, "m{i=\"1\"}", steps, QueryBounds.None, false)).Dispose());
        Assert.Equal(100_000, memory.Held);
    }

    [Fact]
    public async Task AQueryIsHeldAgainstItsOwnBound()
    {
        var memory = new QueryMemory(0, 1);
        var bounds = new QueryBounds(Whose: "tenant a") { MaxMemory = 100_000 };
        var e = await Assert.ThrowsAsync<QueryException>(async () => (await RunAsync(memory, "m", steps, bounds, true)).Dispose());
        Assert.Equal((QueryErrorKind.Execution, 0L), (e.Kind, memory.Held));
        Assert.Contains("max_estimated_memory_consumption_per_query of 100000 bytes of tenant a", e.Message, StringComparison.Ordinal);
        (await RunAsync(memory, "m{i=\"1\"}", steps, bounds, true)).Dispose();
    }

    [Fact]
    public async Task SeriesOfWhichNoLabelsAreKeptCountLessThanThoseThatAreAnswered()
    {
        // 200 series: 48 bytes each where only their number is asked for, 128 with their labels.
        var memory = new QueryMemory(0, 1);
        var bounds = new QueryBounds(Whose: "tenant a") { MaxMemory = 20_000 };
        (await RunAsync(memory, "count(m)", TimeGrid.Instant(900_000), bounds, false)).Dispose();
        await Assert.ThrowsAsync<QueryException>(async () => (await RunAsync(memory, "m", TimeGrid.Instant(900_000), bounds, false)).Dispose());

        // As many groups as series are as many label sets.
        await Assert.ThrowsAsync<QueryException>(async () => (await RunAsync(memory, "count by (i) (m)", TimeGrid.Instant(900_000), bounds, false)).Dispose());
        Assert.Equal(0, memory.Held);
    }

    [Fact]
    public void WhatIsTakenAfterTheEndDoesNotCount()
    {
        var memory = new QueryMemory(0, 1);
        var lease = memory.Open(QueryBounds.None);
        lease.Take(10);
        lease.Dispose();
        lease.Take(10);
        lease.Release(10);
        lease.Dispose();
        Assert.Equal(0, memory.Held);
    }

    private static async Task<QueryResult> RunAsync(QueryMemory memory, string query, TimeGrid grid, QueryBounds bounds, bool isWired)
    {
        var options = new EngineOptions { Memory = memory };
        var times = Enumerable.Range(0, 1_001).Select(i => i * 1_000L).ToArray();
        var values = times.Select(t => (double)t).ToArray();
        var series = new MemorySeries();
        for (var i = 0; i < 200; i++)
        {
            series.Add(Labels.Of(("__name__", "m"), ("i", $"{i}")), times, values);
        }

        IReadOnlyList<IQueryLeaf> leaves = [.. series.Leaves(1, options).Select(l => isWired ? new WiredLeaf(l) : l)];
        return await new QueryEngine(options).ExecuteAsync(new QueryRequest(query, grid, grid.Count > 1) { Bounds = bounds }, leaves, default);
    }
}
