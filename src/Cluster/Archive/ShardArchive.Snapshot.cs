using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>How the live blocks are copied out.</summary>
internal sealed partial class ShardArchive
{
    /// <summary>Copies the live blocks into a folder, each under its name: from the pending ones, or from the store.</summary>
    /// <exception cref="ObjectStoreException">A block can't be read.</exception>
    public async Task SnapshotAsync(string folder, CancellationToken cancellation)
    {
        // In turn with publishing: a pending block must not move away while it is copied.
        await turn.WaitAsync(cancellation);
        try
        {
            // What is shared would come twice, and with it what another shard has deleted of its part.
            while (!isSealed && await NarrowOnceAsync(cancellation))
            {
            }

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
            if (!IsPending(ulid))
            {
                await BlockCopy.RunAsync(store, shard, block.Described, folder, cancellation);
                continue;
            }

            foreach (var file in block.Described.Files)
            {
                var path = Path.Combine(folder, ulid, file.Path);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                File.Copy(Path.Combine(pendingFolder, ulid, file.Path), path);
            }
        }
    }
}
