using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster.Tests.Resharding;

/// <summary>What a crash left of an upload goes, whatever becomes of the shards meanwhile.</summary>
public sealed class UnfinishedUploadTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("unfinished").FullName;

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public async Task ItsObjectsAreRemovedThoughTheMapChangesWhileSomebodyLooksForTheirOwner()
    {
        var (first, second) = (new ShardId(SplitTenant.Id, new HashRange(0, 1)), new ShardId(SplitTenant.Id, new HashRange(1, 1)));
        var isLooking = false;
        Func<Task> split = static () => Task.CompletedTask;
        IObjectStore? bucket = null;
        await using var cluster = SplitTenant.Open(root, static _ => { }, store => bucket = new SteppingStore(store, static _ => { }, key =>
        {
            if (isLooking && key == BucketKeys.Manifest(second))
            {
                isLooking = false;
                Task.Run(split).Wait();
            }
        }));
        split = () => cluster.SplitAsync(second, default).AsTask();
        await SplitTenant.WriteAsync(cluster, [.. Enumerable.Range(0, 12).Select(static s => (s, TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()))]);
        await cluster.SplitAsync(new ShardId(SplitTenant.Id, HashRange.Everything), default);
        await SplitTenant.OnAllAsync(cluster, static s => s.FlushAsync(default));
        var unfinished = Ulid.New(TimeProvider.System, new Random(1)).ToString();
        var chunks = BucketKeys.Block(SplitTenant.Id, unfinished) + "chunks/000001";
        await bucket!.PutAsync(BucketKeys.Upload(first, unfinished), ReadOnlyMemory<byte>.Empty, PutCondition.None, default);
        await bucket.PutAsync(chunks, new byte[] { 1 }, PutCondition.None, default);

        isLooking = true;
        await SplitTenant.OnAllAsync(cluster, static s => s.FlushAsync(default));
        Assert.False(isLooking);
        await SplitTenant.OnAllAsync(cluster, static s => s.FlushAsync(default));

        Assert.Equal(3, (await cluster.FindTenantAsync(SplitTenant.Id, default))!.Shards.Count);
        Assert.Null(await bucket.FindAsync(chunks, default));
        await SplitTenant.AssertNothingLeftAsync(cluster, root, "after the sweep");
    }
}
