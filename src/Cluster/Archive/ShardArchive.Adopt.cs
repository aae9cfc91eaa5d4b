using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>How a block that somebody else has put into object storage becomes one of the shard's.</summary>
internal sealed partial class ShardArchive
{
    /// <summary>A block's description; of one that was merged of many blocks, with all their names.</summary>
    private const int MetaBytesMax = 16 * 1024 * 1024;

    /// <summary>Makes a block live whose files lie in the store, under a note as of an upload of the shard's own; nothing when it is, or was until it was merged.</summary>
    /// <exception cref="IOException">The store failed, or there is no whole block of this shard's range.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    public async Task AdoptAsync(Ulid ulid, CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            await PublishAsync(cancellation);
            var now = manifest.Current;
            if (!now.Blocks.Any(b => b.Meta.Ulid == ulid) && !now.Retired.Any(r => r.Ulid == ulid.ToString()))
            {
                var block = await DescribeAsync(ulid, cancellation);
                await manifest.SwapAsync(m => m with { Blocks = Ordered(m.Blocks.Append(block)) }, cancellation);
                step("a block is adopted");
                Reconcile();
                Interlocked.Increment(ref pastChanges);
            }

            await ForgetUploadAsync(ulid, cancellation);
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task<ManifestBlock> DescribeAsync(Ulid ulid, CancellationToken cancellation)
    {
        var prefix = BucketKeys.Block(shard.Tenant, ulid.ToString());
        var name = prefix + BlockMeta.FileName;
        var json = await store.GetAsync(name, MetaBytesMax, cancellation) ?? throw new IOException($"{store.Name}: there is no {name}, so no whole block");
        var files = new List<BlockFile>();
        await foreach (var file in store.ListAsync(prefix, cancellation))
        {
            files.Add(new BlockFile(file.Key[prefix.Length..], file.Length));
        }

        BlockMeta meta;
        try
        {
            meta = BlockMeta.Parse(json.Content, name);
        }
        catch (InvalidDataException e)
        {
            throw new IOException(e.Message, e);
        }

        return meta.Ulid == ulid && meta.Metrics?.HashRange == shard.Range.ToString()
            ? new ManifestBlock(meta, [.. files.OrderBy(f => f.Path, StringComparer.Ordinal)], [])
            : throw new IOException($"{name} describes block {meta.Ulid} of range {meta.Metrics?.HashRange ?? "unknown"}; it was to be {ulid} of {shard.Range}");
    }
}
