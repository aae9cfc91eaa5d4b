using System.Globalization;
using System.Runtime.CompilerServices;

namespace Metrics.ObjectStore;

/// <summary>A store in memory, for tests and for trying things out; gone with the process.</summary>
public sealed class MemoryObjectStore(TimeProvider time) : IObjectStore
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, Held> objects = new(StringComparer.Ordinal);
    private long versions;

    /// <inheritdoc/>
    public string Name => "memory";

    /// <inheritdoc/>
    public ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ObjectKey.Check(key);
        lock (gate)
        {
            return ValueTask.FromResult<ObjectInfo?>(objects.TryGetValue(key, out var held) ? new ObjectInfo(key, held.Content.Length, held.At) : null);
        }
    }

    /// <inheritdoc/>
    public ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ObjectKey.Check(key);
        lock (gate)
        {
            return !objects.TryGetValue(key, out var held) ? ValueTask.FromResult<StoredObject?>(null)
                : held.Content.Length > maxBytes ? throw new ObjectStoreException($"{Name}: {key} has {held.Content.Length} bytes, more than the {maxBytes} that are read at once")
                : ValueTask.FromResult<StoredObject?>(new StoredObject([.. held.Content], held.Version));
        }
    }

    /// <inheritdoc/>
    public ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ObjectKey.Check(key);
        lock (gate)
        {
            var content = objects.TryGetValue(key, out var held) ? held.Content : throw new ObjectNotFoundException($"{Name}: there is no {key}");
            var count = (int)Math.Clamp(content.Length - offset, 0, into.Length);
            content.AsSpan(content.Length == 0 ? 0 : (int)Math.Min(offset, content.Length), count).CopyTo(into.Span);
            return ValueTask.FromResult(count);
        }
    }

    /// <inheritdoc/>
    public ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ObjectKey.Check(key);
        lock (gate)
        {
            var there = objects.TryGetValue(key, out var held);
            if (condition.MustBeAbsent && there)
            {
                throw new ConditionFailedException($"{Name}: {key} was to be absent, and is there");
            }

            if (condition.Version is { } want && (!there || held.Version != want))
            {
                throw new ConditionFailedException($"{Name}: {key} was to be of version {want.Text}, and is {(there ? held.Version.Text : "absent")}");
            }

            var version = new ObjectVersion((++versions).ToString(CultureInfo.InvariantCulture));
            objects[key] = new Held(content.ToArray(), version, time.GetUtcNow());
            return ValueTask.FromResult(version);
        }
    }

    /// <inheritdoc/>
    public async ValueTask UploadAsync(string key, string path, CancellationToken cancellation) =>
        await PutAsync(key, await File.ReadAllBytesAsync(path, cancellation), PutCondition.None, cancellation);

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
        ObjectKey.CheckPrefix(prefix);
        List<ObjectInfo> found;
        lock (gate)
        {
            found = [.. objects.Where(o => o.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(o => new ObjectInfo(o.Key, o.Value.Content.Length, o.Value.At))];
        }

        foreach (var one in found)
        {
            cancellation.ThrowIfCancellationRequested();
            await Task.CompletedTask;
            yield return one;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListFoldersAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var one in ListAsync(prefix, cancellation))
        {
            var slash = one.Key.IndexOf('/', prefix.Length);
            if (slash > 0 && seen.Add(one.Key[prefix.Length..slash]))
            {
                yield return one.Key[prefix.Length..slash];
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private readonly record struct Held(byte[] Content, ObjectVersion Version, DateTimeOffset At);
}
