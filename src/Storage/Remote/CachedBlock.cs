namespace Metrics.Storage;

/// <summary>The files of one open block whose bytes come from a store. Thread-safe.</summary>
internal sealed class CachedBlock(BlockCache cache, string prefix, IReadOnlyDictionary<string, long> sizes) : IBlockFiles
{
    private readonly Lock gate = new();
    private readonly List<CachedFile> files = [];
    private volatile BlockReader? reader;

    /// <summary>True when nobody reads the block; false also while it is being opened.</summary>
    public bool IsIdle => reader is { IsIdle: true };

    /// <inheritdoc/>
    public string NameOf(string path) => cache.Fetcher.NameOf(prefix + path);

    /// <inheritdoc/>
    public IBlockFile? Open(string path)
    {
        if (!sizes.TryGetValue(path, out var length))
        {
            return null;
        }

        var file = new CachedFile(prefix + path, length, cache.NewPath(), cache.Fetcher, this);
        lock (gate)
        {
            files.Add(file);
        }

        return file;
    }

    /// <inheritdoc/>
    public void OnIdle() => MakeRoom();

    /// <summary>From here on pages may be dropped while the block is idle.</summary>
    public void OnOpened(BlockReader opened) => reader = opened;

    /// <summary>More lies on disk.</summary>
    public void OnFetched(long bytes) => cache.OnHeld(bytes);

    /// <summary>A file is closed, and its pages gone.</summary>
    public void OnClosed(CachedFile file, long heldBytes)
    {
        cache.OnHeld(-heldBytes);
        lock (gate)
        {
            files.Remove(file);
            if (files.Count > 0)
            {
                return;
            }
        }

        cache.OnClosed(this);
    }

    /// <summary>Drops pages of other blocks when too many lie on disk.</summary>
    public void MakeRoom() => cache.MakeRoom();

    /// <summary>Drops pages while the block is idle; returns the bytes that this freed.</summary>
    public long Drop(bool all)
    {
        if (!IsIdle)
        {
            return 0;
        }

        CachedFile[] now;
        lock (gate)
        {
            now = [.. files];
        }

        var freed = 0L;
        foreach (var file in now)
        {
            freed += file.Drop(all);
        }

        return freed;
    }
}
