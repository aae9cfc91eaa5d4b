using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster.Tests.Nodes;

/// <summary>A block that a gateway puts into the bucket becomes the shard's, wherever its owner is.</summary>
public sealed class AdoptedBlockTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("adopted").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task ABlockIsUploadedThroughAGatewayAndOutlivesTheOwner()
    {
        await using var world = new NodeWorld();
        var nodes = new[] { world.Start("a", 3), world.Start("b", 3), world.Start("c", 3) };
        await nodes[0].OpenShardAsync(NodeWorld.Shard, default);
        var owner = world.At(nodes[0]);
        await NodeWorld.WriteAsync(owner, 5000, 5, "fresh");
        var history = await owner.HistoryAsync(default);

        await UploadAsync(world, owner, 1);
        Assert.Equal(["fresh@5000=5", "old@1000=1", "old@2000=2"], await NodeWorld.ReadAsync(owner));
        Assert.Equal(1, (await owner.HistoryAsync(default)).Changes - history.Changes);

        // The same once more changes nothing.
        await UploadAsync(world, owner, 1);
        Assert.Single((await world.ManifestAsync()).Blocks);
        Assert.Equal(1, (await owner.HistoryAsync(default)).Changes - history.Changes);
        Assert.Empty(await NamesAsync(world, BucketKeys.Uploads(NodeWorld.Shard)));

        world.CutOff(nodes[0]);
        await nodes[1].OpenShardAsync(NodeWorld.Shard, default);
        Assert.Equal(["fresh@5000=5", "old@1000=1", "old@2000=2"], await NodeWorld.ReadAsync(world.At(nodes[1])));
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await owner.AdoptAsync(Ulid.New(TimeProvider.System, new Random(2)), default));
    }

    [Fact]
    public async Task WhatIsNoBlockOfTheShardIsNotAdopted()
    {
        await using var world = new NodeWorld();
        var node = world.Start("a", 1);
        await node.OpenShardAsync(NodeWorld.Shard, default);
        var shard = world.At(node);
        var nowhere = Ulid.New(TimeProvider.System, new Random(3));
        Assert.Contains("so no whole block", (await Assert.ThrowsAsync<ShardUnavailableException>(async () => await shard.AdoptAsync(nowhere, default))).Message);

        // Of another shard's range; and one that calls itself otherwise.
        var foreign = BlockMeta.Read(Write(4)) with { Metrics = new MetricsMeta { HashRange = "0b1" } };
        foreach (var meta in new[] { foreign, foreign with { Ulid = nowhere } })
        {
            await world.Bucket.PutAsync(BucketKeys.Block(NodeWorld.Shard.Tenant, foreign.Ulid.ToString()) + BlockMeta.FileName, meta.ToJson(), PutCondition.None, default);
            Assert.Contains("it was to be", (await Assert.ThrowsAsync<ShardUnavailableException>(async () => await shard.AdoptAsync(foreign.Ulid, default))).Message);
        }

        Assert.Empty((await world.ManifestAsync()).Blocks);
    }

    private async Task UploadAsync(NodeWorld world, IShard shard, int seed)
    {
        var block = Write(seed);
        var said = new TaskCompletionSource<UploadState>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var uploads = new BlockUploads(new Gateway(world.Bucket, shard), Path.Combine(folder, "scratch"), TimeProvider.System, (_, _, state) => said.TrySetResult(state));
        var files = Directory.GetFiles(block, "*", SearchOption.AllDirectories).Select(f => new ThanosFile(Path.GetRelativePath(block, f), new FileInfo(f).Length)).Where(f => f.RelPath is "index" or "chunks/000001").ToList();
        var meta = BlockMeta.Read(block) with { Metrics = null, Thanos = new ThanosMeta { Files = files } };
        await uploads.BeginAsync(NodeWorld.Shard.Tenant, meta, default);
        foreach (var file in files)
        {
            await using var content = File.OpenRead(Path.Combine(block, file.RelPath));
            await uploads.PutAsync(NodeWorld.Shard.Tenant, meta.Ulid, file.RelPath, file.SizeBytes!.Value, content, default);
        }

        Assert.True(await uploads.FinishAsync(NodeWorld.Shard.Tenant, meta.Ulid, default));
        Assert.Equal(new UploadState(UploadStage.Complete), await said.Task.WaitAsync(TimeSpan.FromSeconds(60)));
        Directory.Delete(block, recursive: true);
    }

    private static async Task<List<string>> NamesAsync(NodeWorld world, string prefix)
    {
        var names = new List<string>();
        await foreach (var found in world.Bucket.ListAsync(prefix, default))
        {
            names.Add(found.Key);
        }

        return names;
    }

    private string Write(int seed)
    {
        using var writer = new BlockWriter(folder, Ulid.New(new Testing.FakeTime(1_700_000_000_000), new Random(seed)));
        var bytes = new byte[XorChunk.MaxBytes(2)];
        writer.BeginSeries(Labels.Of(("__name__", "old")).Encoded);
        writer.AddChunk(ChunkEncoding.Xor, 1000, 2000, bytes.AsSpan(0, XorChunk.Encode([1000, 2000], [1, 2], bytes)));
        return Path.Combine(folder, writer.Finish().Ulid.ToString());
    }

    /// <summary>A gateway that knows one tenant of one shard.</summary>
    private sealed class Gateway(IObjectStore bucket, IShard shard) : ICluster, ITenant
    {
        public ReplayProgress Progress => new(true, 0, 0, 0, 0);

        public IObjectStore? Objects => bucket;

        public TenantId Id => shard.Id.Tenant;

        public IReadOnlyList<IShard> Shards => [shard];

        public IMetricMetadata Metadata => throw new NotSupportedException();

        public ValueTask<ITenant> OpenTenantAsync(TenantId tenant, CancellationToken cancellation) => ValueTask.FromResult<ITenant>(this);

        public ValueTask<ITenant?> FindTenantAsync(TenantId tenant, CancellationToken cancellation) => ValueTask.FromResult<ITenant?>(this);

        public ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => default;
    }
}
