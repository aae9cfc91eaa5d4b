namespace Metrics.Cluster;

/// <summary>Metadata of one tenant's metrics, kept in memory and in <c>metadata.jsonl</c>, so that a restart still has it.</summary>
/// <remarks>
/// A line is written when a declaration is new, so the file is bounded as the book is (<see cref="MetadataBook"/>). A torn last line, left by a crash, is dropped. Metadata is advice for
/// people: it is not flushed to disk with the request that brought it. Thread-safe.
/// </remarks>
internal sealed class TenantMetadata : IMetricMetadata, IDisposable
{
    private readonly MetadataBook book = new();
    private readonly Lock writing = new();
    private readonly string path;
    private bool closed;

    private TenantMetadata(string path) => this.path = path;

    /// <summary>Opens the store of a tenant's folder.</summary>
    public static TenantMetadata Open(string folder)
    {
        var store = new TenantMetadata(Path.Combine(folder, "metadata.jsonl"));
        store.Load();
        return store;
    }

    /// <inheritdoc/>
    public void Put(string family, MetricMetadata metadata)
    {
        if (book.TryPut(family, metadata, out var line))
        {
            lock (writing)
            {
                // Opened for each line: most tenants declare all they have with their first requests, and nothing in the months after.
                ObjectDisposedException.ThrowIf(closed, this);
                File.AppendAllBytes(path, [.. line, (byte)'\n']);
            }
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, IReadOnlyList<MetricMetadata>> Get(string? family, int limit, int limitPerFamily) => book.Get(family, limit, limitPerFamily);

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (writing)
        {
            closed = true;
        }
    }

    private void Load()
    {
        using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, 1);
        var lines = new byte[file.Length];
        file.ReadExactly(lines);

        // What a crash left of the last line ends it. Whatever follows can't be trusted; senders will say it again.
        var complete = book.PutLines(lines);
        file.SetLength(complete);
    }
}
