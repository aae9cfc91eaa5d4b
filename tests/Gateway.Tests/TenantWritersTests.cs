using Metrics.Cluster;
using Metrics.Gateway.RemoteWrite;
using Metrics.Model;
using Metrics.Testing;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>What a gateway remembers of tenants that write, and of those that do not any more.</summary>
public sealed class TenantWritersTests
{
    private static readonly TimeSpan look = TenantWriters.LookEvery;

    [Fact]
    public async Task AWriterThatNobodyUsedBetweenTwoLooksIsForgotten()
    {
        var time = new FakeTime(0);
        var cluster = new FakeCluster();
        var writers = new TenantWriters(time);
        var (busy, idle) = (Put(writers, cluster["busy"]), Put(writers, cluster["idle"]));
        await LookAsync(time);
        Assert.Equal((busy, 2), (writers.Find(busy.Tenant.Id), writers.Count));
        await LookAsync(time);
        Assert.Equal((1, null), (writers.Count, writers.Find(idle.Tenant.Id)));
        Assert.Same(busy, writers.Find(busy.Tenant.Id));
        await LookAsync(time);
        await LastLookAsync(time, writers);

        // With the next one it looks again.
        Put(writers, cluster["idle"]);
        await LookAsync(time);
        await LastLookAsync(time, writers);
    }

    [Fact]
    public void TheFirstOfTwoThatAreTheSameStays()
    {
        var cluster = new FakeCluster();
        var writers = new TenantWriters(new FakeTime(0));
        var first = Put(writers, cluster["a"]);
        Assert.Same(first, Put(writers, cluster["a"]));
        var other = new TenantWriter(cluster["a"], new LabelLimits());
        Assert.Same(other, writers.Put(other, static (_, _) => false));
        Assert.Same(other, writers.Find(TenantId.Parse("a")));
    }

    private static TenantWriter Put(TenantWriters writers, ITenant tenant) => writers.Put(new TenantWriter(tenant, new LabelLimits()), static (_, _) => true);

    private static Task LookAsync(FakeTime time)
    {
        time.Advance(look);
        return time.UntilTimersAsync(1); // The next one is planned.
    }

    private static async Task LastLookAsync(FakeTime time, TenantWriters writers)
    {
        time.Advance(look);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (writers.Count > 0)
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
