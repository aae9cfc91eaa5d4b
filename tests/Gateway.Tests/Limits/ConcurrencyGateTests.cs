using Metrics.Gateway.QueryApi;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests;

public class ConcurrencyGateTests
{
    private static readonly TenantId a = TenantId.Parse("a");
    private static readonly TenantId b = TenantId.Parse("b");

    [Fact]
    public async Task TenantsThatWaitAreServedInTurn()
    {
        var gate = new ConcurrencyGate(1, 100, static _ => (0, 0));
        await gate.EnterAsync(a, default);
        var order = new List<string>();
        var waiting = new List<Task>();
        foreach (var (tenant, name) in new[] { (a, "a1"), (a, "a2"), (a, "a3"), (b, "b1"), (b, "b2") })
        {
            waiting.Add(Enter(tenant, name));
        }

        Assert.Equal((1, 5), gate.Load);
        gate.Leave(a);
        await Task.WhenAll(waiting);
        Assert.Equal(["a1", "b1", "a2", "b2", "a3"], order);
        Assert.Equal((0, 0), gate.Load);

        async Task Enter(TenantId tenant, string name)
        {
            await gate.EnterAsync(tenant, default);
            order.Add(name);
            gate.Leave(tenant);
        }
    }

    [Fact]
    public async Task ATenantAtItsOwnLimitWaitsWhileOthersRun()
    {
        var gate = new ConcurrencyGate(10, 100, static t => (t == a ? 1 : 0, 0));
        await gate.EnterAsync(a, default);
        var second = gate.EnterAsync(a, default).AsTask();
        Assert.False(second.IsCompleted);
        await gate.EnterAsync(b, default);
        gate.Leave(b);
        Assert.False(second.IsCompleted);
        gate.Leave(a);
        await second;
        gate.Leave(a);
        Assert.Equal((0, 0), gate.Load);
    }

    [Fact]
    public async Task AQuarterOfThePlacesIsKeptForTenantsThatHaveNone()
    {
        var gate = new ConcurrencyGate(8, 100, static _ => (0, 0));
        for (var i = 0; i < 6; i++)
        {
            await gate.EnterAsync(a, default);
        }

        var seventh = gate.EnterAsync(a, default).AsTask();
        Assert.False(seventh.IsCompleted);
        await gate.EnterAsync(b, default);
        var second = gate.EnterAsync(b, default).AsTask();
        Assert.False(second.IsCompleted);
        Assert.Equal((7, 2), gate.Load);
        gate.Leave(b);
        await second;
        Assert.False(seventh.IsCompleted);
        for (var i = 0; i < 6; i++)
        {
            gate.Leave(a);
        }

        await seventh;
        gate.Leave(a);
        gate.Leave(b);
        Assert.Equal((0, 0), gate.Load);
    }

    [Fact]
    public async Task TooManyWaitingOfATenantAre429AndOfAllTenants503()
    {
        var gate = new ConcurrencyGate(1, 2, static t => (0, t == a ? 1 : 0));
        await gate.EnterAsync(b, default);
        var first = gate.EnterAsync(a, default).AsTask();
        Assert.Equal(429, (await Assert.ThrowsAsync<ApiException>(async () => await gate.EnterAsync(a, default))).Status);
        var second = gate.EnterAsync(b, default).AsTask();
        Assert.Equal(503, (await Assert.ThrowsAsync<ApiException>(async () => await gate.EnterAsync(b, default))).Status);
        gate.Leave(b);
        await first;
        gate.Leave(a);
        await second;
        gate.Leave(b);
    }

    [Fact]
    public async Task WhoGivesUpLeavesTheQueue()
    {
        var gate = new ConcurrencyGate(1, 2, static _ => (0, 0));
        await gate.EnterAsync(a, default);
        using var stop = new CancellationTokenSource();
        var gone = gate.EnterAsync(b, stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.Equal((1, 0), gate.Load);
        gate.Leave(a);
        await gate.EnterAsync(b, default);
        gate.Leave(b);
        Assert.Equal((0, 0), gate.Load);
    }

    [Fact]
    public async Task UnderRandomLoadNoLimitIsPassedAndEveryoneIsServed()
    {
        const int Seed = 77;
        var random = new Random(Seed);
        var gate = new ConcurrencyGate(4, 10_000, static t => (t == a ? 2 : 3, 0));
        var running = new int[2];
        var served = 0;
        var all = Enumerable.Range(0, 2000).Select(i => Task.Run(async () =>
        {
            int who;
            bool gives;
            lock (random)
            {
                who = random.Next(2);
                gives = random.Next(5) == 0;
            }

            using var stop = new CancellationTokenSource();
            var entering = gate.EnterAsync(who == 0 ? a : b, stop.Token);
            if (gives)
            {
                await stop.CancelAsync();
            }

            try
            {
                await entering;
            }
            catch (OperationCanceledException)
            {
                return;
            }

            Assert.True(Interlocked.Increment(ref running[who]) <= (who == 0 ? 2 : 3));
            Assert.True(gate.Load.Running <= 4);
            await Task.Yield();
            Interlocked.Decrement(ref running[who]);
            Interlocked.Increment(ref served);
            gate.Leave(who == 0 ? a : b);
        }));
        await Task.WhenAll(all);
        Assert.True(served >= 1000, $"seed {Seed}: {served} served");
        Assert.Equal((0, 0), gate.Load);
    }
}
