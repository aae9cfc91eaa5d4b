using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>How the live blocks are copied out.</summary>
internal sealed partial class ShardArchive
{
    private const int CopyBytes = 4 * 1024 * 1024;

    /// <summary>Copies the live blocks into a folder, each under its name: from the pending ones, or from the store.</summary>
    /// <exception cref="ObjectStoreException">A block can't be read.</exception>
    public async Task SnapshotAsync(string folder, CancellationToken cancellation)
    {
        // In turn with publishing: a pending block must not move away while it is copied.
        await turn.WaitAsync(cancellation);
        try
        {
            await CopyBlocksAsync(folder, cancellation);
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task CopyBlocksAsync(string folder, CancellationToken cancellation)
    {
        using var held = Blocks.Hold(Model.TimeRange.All);
        foreach (var block in held.Blocks)
        {
            var ulid = block.Ulid.ToString();
            var to = Path.Combine(folder, ulid);
            var prefix = BucketKeys.Block(shard.Tenant, ulid);
            foreach (var file in block.Described.Files)
            {
                var path = Path.Combine(to, file.Path);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                var local = IsPending(ulid) ? Path.Combine(pendingFolder, ulid, file.Path) : store.LocalPath(prefix + file.Path);
                if (local is null)
                {
                    await DownloadAsync(prefix + file.Path, file.Bytes, path, cancellation);
                }
                else
                {
                    File.Copy(local, path);
                }
            }
        }
    }

    private async Task DownloadAsync(string key, long bytes, string path, CancellationToken cancellation)
    {
        var buffer = new byte[(int)Math.Min(CopyBytes, Math.Max(1, bytes))];
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1);
        for (long at = 0; at < bytes;)
        {
            var got = await store.ReadAsync(key, at, buffer.AsMemory(0, (int)Math.Min(buffer.Length, bytes - at)), cancellation);
            if (got == 0)
            {
                throw new ObjectStoreException($"{store.Name}: {key} ends at {at}, the manifest says {bytes} bytes");
            }

            await file.WriteAsync(buffer.AsMemory(0, got), cancellation);
            at += got;
        }

        file.Flush(flushToDisk: true);
    }
}
