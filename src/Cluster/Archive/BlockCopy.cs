using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>Copies blocks of object storage to this machine.</summary>
internal static class BlockCopy
{
    private const int CopyBytes = 4 * 1024 * 1024;

    /// <summary>Copies a published block into a folder, under its name.</summary>
    /// <exception cref="IOException">It can't be read, or the folder can't be written.</exception>
    public static async Task RunAsync(IObjectStore store, ShardId shard, ManifestBlock block, string folder, CancellationToken cancellation)
    {
        var ulid = block.Meta.Ulid.ToString();
        var prefix = BucketKeys.Block(shard.Tenant, ulid);
        foreach (var file in block.Files)
        {
            await FileAsync(store, prefix + file.Path, file.Bytes, Path.Combine(folder, ulid, file.Path), cancellation);
        }
    }

    /// <summary>Copies an object of known length.</summary>
    /// <exception cref="IOException">It can't be read, or the file can't be written.</exception>
    public static async Task FileAsync(IObjectStore store, string key, long bytes, string path, CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (store.LocalPath(key) is { } local)
        {
            File.Copy(local, path);
        }
        else
        {
            await DownloadAsync(store, key, bytes, path, cancellation);
        }
    }

    private static async Task DownloadAsync(IObjectStore store, string key, long bytes, string path, CancellationToken cancellation)
    {
        var buffer = new byte[(int)Math.Min(CopyBytes, Math.Max(1, bytes))];
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1);
        for (long at = 0; at < bytes;)
        {
            var got = await store.ReadAsync(key, at, buffer.AsMemory(0, (int)Math.Min(buffer.Length, bytes - at)), cancellation);
            if (got == 0)
            {
                throw new ObjectStoreException($"{store.Name}: {key} ends at {at}, it must have {bytes} bytes");
            }

            await file.WriteAsync(buffer.AsMemory(0, got), cancellation);
            at += got;
        }

        file.Flush(flushToDisk: true);
    }
}
