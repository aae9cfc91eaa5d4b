using Metrics.Cluster.Tests.Nodes;
using Metrics.Model;

namespace Metrics.Cluster.Tests.Tenants;

/// <summary>Deletion of a tenant whose shards have replicas on several nodes.</summary>
public sealed class TenantErasureTests
{
    private static readonly TenantId tenant = NodeWorld.Shard.Tenant;

    [Fact]
    public async Task NothingIsLeftButFencesAndATenantOfTheSameNameBeginsEmpty()
    {
        await using var world = new NodeWorld();
        ShardNode[] nodes = [world.Start("a", 2), world.Start("b", 2)];
        await WriteAsync(nodes);
        var before = await world.ManifestAsync();

        var erasure = new TenantErasure(world.Bucket);
        await erasure.MarkAsync(tenant, default);
        await erasure.MarkAsync(tenant, default);
        Assert.True(await erasure.IsMarkedAsync(tenant, default));
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await new TenantShardMaps(world.Bucket, 1).OpenAsync(TenantId.Parse("t"), default));
        await erasure.RunAsync(tenant, new Nodes(nodes), default);

        await AssertGoneAsync(world, nodes);
        Assert.False(await erasure.IsMarkedAsync(tenant, default));
        Assert.True((await world.ManifestAsync()).Epoch > before.Epoch);
        await nodes[1].OpenShardAsync(NodeWorld.Shard, default);
        await NodeWorld.WriteAsync(world.At(nodes[1]), 1, 2, "new");
        Assert.Equal(["new@1=2"], await NodeWorld.ReadAsync(world.At(nodes[1])));
    }

    [Fact]
    public async Task ADeletionThatStopsAnywhereIsFinishedByTheNextCall()
    {
        var steps = 0;
        for (var stopAt = 1; ; stopAt++)
        {
            await using var world = new NodeWorld();
            ShardNode[] nodes = [world.Start("a", 2), world.Start("b", 2)];
            await WriteAsync(nodes);
            var erasure = new TenantErasure(world.Bucket);
            await erasure.MarkAsync(tenant, default);

            var step = 0;
            var stopping = new TenantErasure(new SteppingStore(world.Bucket, at => _ = ++step == stopAt ? throw new IOException($"stopped at step {step}, {at}") : 0));
            var stopped = await Record.ExceptionAsync(() => stopping.RunAsync(tenant, new Nodes(nodes), default));
            Assert.True(stopped is null or IOException, $"step {stopAt}: {stopped}");
            await erasure.RunAsync(tenant, new Nodes(nodes), default);

            await AssertGoneAsync(world, nodes);
            Assert.False(await erasure.IsMarkedAsync(tenant, default));
            if (step < stopAt)
            {
                steps = step;
                break;
            }
        }

        Assert.True(steps > 10, $"only {steps} steps were stopped at");
    }

    [Fact]
    public async Task ANodeThatDoesNotAnswerKeepsTheMark()
    {
        await using var world = new NodeWorld();
        ShardNode[] nodes = [world.Start("a", 2), world.Start("b", 2)];
        await WriteAsync(nodes);
        var erasure = new TenantErasure(world.Bucket);
        await erasure.MarkAsync(tenant, default);

        world.CutOff(nodes[1]);
        await Assert.ThrowsAsync<ObjectStore.ObjectStoreException>(() => erasure.RunAsync(tenant, new Nodes(nodes), default));
        Assert.True(await erasure.IsMarkedAsync(tenant, default));

        world.Rejoin(nodes[1]);
        await erasure.RunAsync(tenant, new Nodes(nodes), default);
        await AssertGoneAsync(world, nodes);
    }

    [Fact]
    public async Task AnOwnerThatSleptThroughItPublishesNothingAndItsReplicasGo()
    {
        await using var world = new NodeWorld();
        var archive = new ArchiveOptions { WorkEvery = TimeSpan.FromSeconds(1) }; // It hears of it with its next look at the bucket.
        ShardNode[] nodes = [world.Start("a", 1, archive: archive), world.Start("b", 1)];
        await WriteAsync(nodes);
        var stale = world.At(nodes[0]);
        world.CutOff(nodes[0]);
        var erasure = new TenantErasure(world.Bucket);
        await erasure.MarkAsync(tenant, default);
        await erasure.RunAsync(tenant, new Nodes(nodes[1..]), default);
        await nodes[1].OpenShardAsync(NodeWorld.Shard, default);
        await NodeWorld.WriteAsync(world.At(nodes[1]), 5, 5, "new");

        world.Rejoin(nodes[0]);
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await stale.FlushAsync(default));
        await NodeWorld.UntilAsync(() => nodes[0].Find(NodeWorld.Shard) is null, "the owner that slept closes");
        await nodes[0].RemoveTenantAsync(tenant, default);

        Assert.Equal(["new@5=5"], await NodeWorld.ReadAsync(world.At(nodes[1])));
        Assert.Empty((await world.ManifestAsync()).Blocks);
        Assert.Empty(world.ReplicasOf(nodes[0], tenant));
    }

    [Fact]
    public async Task WhoComesLateTouchesNothingOfWhatWasMadeSince()
    {
        await using var world = new NodeWorld();
        ShardNode[] nodes = [world.Start("a", 1)];
        await WriteAsync(nodes);
        var erasure = new TenantErasure(world.Bucket);
        await erasure.MarkAsync(tenant, default);
        var late = new Nodes(nodes)
        {
            OnClosed = async () =>
            {
                await erasure.RunAsync(tenant, new Nodes(nodes), default);
                await new TenantShardMaps(world.Bucket, 1).OpenAsync(tenant, default);
                await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
                await NodeWorld.WriteAsync(world.At(nodes[0]), 5, 5, "new");
            },
        };

        await Assert.ThrowsAsync<IOException>(() => erasure.RunAsync(tenant, late, default));

        Assert.NotNull(await new TenantShardMaps(world.Bucket, 1).FindAsync(tenant, default));
        Assert.Equal(["new@5=5"], await NodeWorld.ReadAsync(world.At(nodes[0])));
    }

    private static async Task WriteAsync(ShardNode[] nodes)
    {
        var shard = await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        await NodeWorld.WriteAsync(shard, 1, 1, "a", "b");
        await shard.FlushAsync(default);
        await NodeWorld.WriteAsync(shard, 2, 2, "a", "b");
    }

    private static async Task AssertGoneAsync(NodeWorld world, ShardNode[] nodes)
    {
        var left = new List<string>();
        await foreach (var item in world.Bucket.ListAsync("", default))
        {
            left.Add(item.Key);
        }

        Assert.Equal([BucketKeys.Manifest(NodeWorld.Shard)], left);
        var manifest = await world.ManifestAsync();
        Assert.Empty(manifest.Blocks);
        Assert.Null(manifest.Log);
        foreach (var node in nodes)
        {
            Assert.Null(node.Find(NodeWorld.Shard));
            Assert.Empty(world.ReplicasOf(node, tenant));
        }
    }

    private sealed class Nodes(ShardNode[] nodes) : ITenantHolders
    {
        public Func<Task>? OnClosed { get; init; }

        public async Task CloseAsync(TenantId closed, CancellationToken cancellation)
        {
            foreach (var node in nodes)
            {
                await node.CloseTenantAsync(closed);
            }

            await (OnClosed?.Invoke() ?? Task.CompletedTask);
        }

        public async Task RemoveAsync(TenantId removed, CancellationToken cancellation)
        {
            foreach (var node in nodes)
            {
                await node.RemoveTenantAsync(removed, cancellation);
            }
        }
    }
}
