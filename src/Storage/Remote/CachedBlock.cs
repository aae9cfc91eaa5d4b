namespace Metrics.Storage;

/// <summary>The files of one open block whose bytes come from a store. Thread-safe.</summary>
internal sealed class CachedBlock(BlockCache cache, string prefix, IReadOnlyDictionary<string, long> sizes) : IBlockFiles
{
    private readonly Lock gate = new();
    private readonly List<CachedFile> files = [];
    private volatile BlockReader? reader;

    /// <summary>True when nobody reads the block; false also while it is being opened.</summary>
    public bool IsIdle => reader is { IsIdle: true };

    /// <summary>The cache's time: how often somebody wanted what was not there. When nothing is missing, nothing ages.</summary>
    public long Now => cache.Now;

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

    /// <summary>Somebody wants what is not there.</summary>
    public void OnMiss() => cache.OnMiss();

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

    /// <summary>Appends when each page that may go was read last; none while somebody reads the block.</summary>
    public void AddTimes(List<long> into)
    {
        if (IsIdle)
        {
            Array.ForEach(Files(), f => f.AddTimes(into));
        }
    }

    /// <summary>Drops pages while the block is idle; see <see cref="CachedFile.Drop"/>.</summary>
    public long Drop(long readBy, long enough)
    {
        if (!IsIdle)
        {
            return 0;
        }

        var freed = 0L;
        foreach (var file in Files())
        {
            freed += file.Drop(readBy, enough - freed);
        }

        return freed;
    }

    private CachedFile[] Files()
    {
        lock (gate)
        {
            return [.. files];
        }
    }
}
