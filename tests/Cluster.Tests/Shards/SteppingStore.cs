using Metrics.ObjectStore;

namespace Metrics.Cluster.Tests;

/// <summary>Takes a step before and after whatever changes the store; another one, when that is asked for, before whatever reads it.</summary>
internal sealed class SteppingStore(IObjectStore store, Action<string> step, Action<string>? reading = null) : IObjectStore
{
    public string Name => store.Name;

    public async ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation)
    {
        reading?.Invoke(key);
        return await store.FindAsync(key, cancellation);
    }

    public async ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation)
    {
        reading?.Invoke(key);
        return await store.GetAsync(key, maxBytes, cancellation);
    }

    public ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation) => store.ReadAsync(key, offset, into, cancellation);

    public async ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation)
    {
        step($"before put {key}");
        var version = await store.PutAsync(key, content, condition, cancellation);
        step($"after put {key}");
        return version;
    }

    public async ValueTask UploadAsync(string key, string path, CancellationToken cancellation)
    {
        step($"before upload {key}");
        await store.UploadAsync(key, path, cancellation);
        step($"after upload {key}");
    }

    public async ValueTask DeleteAsync(string key, CancellationToken cancellation)
    {
        step($"before delete {key}");
        await store.DeleteAsync(key, cancellation);
        step($"after delete {key}");
    }

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellation) => store.ListAsync(prefix, cancellation);

    public IAsyncEnumerable<string> ListFoldersAsync(string prefix, CancellationToken cancellation) => store.ListFoldersAsync(prefix, cancellation);

    public string? LocalPath(string key) => store.LocalPath(key);

    public ValueTask DisposeAsync() => store.DisposeAsync();
}
