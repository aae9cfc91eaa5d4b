using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Puts blocks into object storage.</summary>
internal static class BlockPut
{
    /// <summary>Puts the files of a block into the store, after a note that this has begun; <c>meta.json</c> last, so that other programs see whole blocks.</summary>
    /// <param name="store">The store.</param>
    /// <param name="shard">The shard that will have it, and that finds it again by the note when it does not.</param>
    /// <param name="block">The block.</param>
    /// <param name="folder">Where its files are.</param>
    /// <param name="step">Is called between any two steps that a crash could part.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public static async Task RunAsync(IObjectStore store, ShardId shard, ManifestBlock block, string folder, Action<string> step, CancellationToken cancellation)
    {
        var ulid = block.Meta.Ulid.ToString();
        await store.PutAsync(BucketKeys.Upload(shard, ulid), ReadOnlyMemory<byte>.Empty, PutCondition.None, cancellation);
        step("an upload is noted");
        var prefix = BucketKeys.Block(shard.Tenant, ulid);
        foreach (var file in block.Files.OrderBy(f => f.Path == BlockMeta.FileName))
        {
            // A block does not change, and an object is whole or not there: what an earlier try has brought up need not go again.
            if (await store.FindAsync(prefix + file.Path, cancellation) is not { } there || there.Length != file.Bytes)
            {
                await store.UploadAsync(prefix + file.Path, Path.Combine(folder, file.Path), cancellation);
                step("a file is uploaded");
            }
        }
    }
}
