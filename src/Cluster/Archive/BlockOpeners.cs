using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Opens published blocks, wherever their bytes are.</summary>
internal interface IBlockOpener : IDisposable
{
    /// <summary>Opens a block.</summary>
    /// <param name="prefix">Its folder in the store, ending in a slash.</param>
    /// <param name="block">The block.</param>
    /// <exception cref="InvalidDataException">It is damaged, or not there.</exception>
    /// <exception cref="IOException">It can't be read now.</exception>
    BlockReader Open(string prefix, LiveBlock block);
}

/// <summary>Opens blocks of a store that is a local folder: its files are mapped where they lie.</summary>
internal sealed class LocalBlockOpener(IObjectStore store) : IBlockOpener
{
    /// <inheritdoc/>
    public BlockReader Open(string prefix, LiveBlock block) =>
        BlockReader.Open(Path.GetDirectoryName(store.LocalPath(prefix + BlockMeta.FileName)) ?? throw new InvalidOperationException($"{store.Name} is no local folder"));

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

/// <summary>Opens blocks that are far away, over a cache on the local disk; when that is full, closes those that nobody has opened for longest. Thread-safe.</summary>
internal sealed class RemoteBlockOpener(BlockCache cache) : IBlockOpener
{
    private readonly Lock gate = new();
    private readonly LinkedList<WeakReference<LiveBlock>> opened = new();

    /// <inheritdoc/>
    public BlockReader Open(string prefix, LiveBlock block)
    {
        MakeRoom();
        var reader = cache.Open(prefix, block.Described.Meta, block.Described.Files.ToDictionary(f => f.Path, f => f.Bytes, StringComparer.Ordinal));
        lock (gate)
        {
            opened.AddLast(new WeakReference<LiveBlock>(block));
        }

        return reader;
    }

    /// <inheritdoc/>
    public void Dispose() => cache.Dispose();

    private void MakeRoom()
    {
        if (!cache.IsOver)
        {
            return;
        }

        List<WeakReference<LiveBlock>> oldest;
        lock (gate)
        {
            oldest = [.. opened];
        }

        foreach (var one in oldest)
        {
            // Gone, or replaced, blocks have closed their readers themselves.
            if (!one.TryGetTarget(out var block) || block.TryClose())
            {
                lock (gate)
                {
                    opened.Remove(one);
                }
            }

            if (!cache.IsOver)
            {
                return;
            }
        }
    }
}
