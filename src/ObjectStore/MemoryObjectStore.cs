using System.Runtime.CompilerServices;

namespace Metrics.ObjectStore;

/// <summary>Objects in memory, for tests. Thread-safe; each call is atomic.</summary>
public sealed class MemoryObjectStore(TimeProvider time) : IObjectStore
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, Entry> objects = new(StringComparer.Ordinal);
    private long versions;

    /// <inheritdoc/>
    public string Name => "memory";

    /// <inheritdoc/>
    public ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Find(key) is { } entry ? entry.Describe(key) : default(ObjectInfo?));
    }

    /// <inheritdoc/>
    public ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytes);
        if (Find(key) is not { } entry)
        {
            return ValueTask.FromResult<StoredObject?>(null);
        }

        return entry.Content.Length > maxBytes
            ? throw new ObjectStoreException($"{Name}: get {key}: the object has {entry.Content.Length} bytes, at most {maxBytes} were expected")
            : ValueTask.FromResult<StoredObject?>(new StoredObject([.. entry.Content], entry.Version));
    }

    /// <inheritdoc/>
    public ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        var content = (Find(key) ?? throw new ObjectNotFoundException($"{Name}: read {key}: there is no such object")).Content;
        if (offset >= content.Length)
        {
            return ValueTask.FromResult(0);
        }

        var part = content.AsMemory((int)offset);
        part = part[..Math.Min(part.Length, into.Length)];
        part.CopyTo(into);
        return ValueTask.FromResult(part.Length);
    }

    /// <inheritdoc/>
    public ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ObjectKey.Check(key);
        lock (gate)
        {
            objects.TryGetValue(key, out var present);
            if (condition.MustBeAbsent && present is not null)
            {
                throw new ConditionFailedException($"{Name}: put {key}: there is such an object already");
            }

            if (condition.Version is { } version && present?.Version != version)
            {
                throw new ConditionFailedException($"{Name}: put {key}: the object is {present?.Version.Text ?? "absent"}, not {version.Text}");
            }

            return ValueTask.FromResult(Store(key, content.ToArray()));
        }
    }

    /// <inheritdoc/>
    public async ValueTask UploadAsync(string key, string path, CancellationToken cancellation)
    {
        ObjectKey.Check(key);
        byte[] content;
        try
        {
            content = await File.ReadAllBytesAsync(path, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ObjectStoreException($"{Name}: upload {path} as {key}: {e.Message}", e);
        }

        lock (gate)
        {
            Store(key, content);
        }
    }

    /// <inheritdoc/>
    public ValueTask DeleteAsync(string key, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ObjectKey.Check(key);
        lock (gate)
        {
            objects.Remove(key);
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var info in Under(prefix))
        {
            cancellation.ThrowIfCancellationRequested();
            yield return info;
        }

        await ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListFoldersAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var folders = from info in Under(prefix)
                      let rest = info.Key[prefix.Length..]
                      let slash = rest.IndexOf('/')
                      where slash > 0
                      select rest[..slash];
        foreach (var folder in folders.Distinct(StringComparer.Ordinal))
        {
            cancellation.ThrowIfCancellationRequested();
            yield return folder;
        }

        await ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private List<ObjectInfo> Under(string prefix)
    {
        ObjectKey.CheckPrefix(prefix);
        lock (gate)
        {
            return [.. objects.Where(o => o.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(o => o.Value.Describe(o.Key))];
        }
    }

    private Entry? Find(string key)
    {
        ObjectKey.Check(key);
        lock (gate)
        {
            return objects.GetValueOrDefault(key);
        }
    }

    /// <summary>Replaces an object. The caller holds the gate.</summary>
    private ObjectVersion Store(string key, byte[] content)
    {
        var version = new ObjectVersion($"m{++versions}");
        objects[key] = new Entry(content, version, time.GetUtcNow());
        return version;
    }

    private sealed record Entry(byte[] Content, ObjectVersion Version, DateTimeOffset ModifiedAt)
    {
        public ObjectInfo Describe(string key) => new(key, Content.Length, ModifiedAt);
    }
}
