namespace Metrics.ObjectStore;

/// <summary>Long-term storage: immutable objects by key, and small ones replaced by compare-and-swap. Thread-safe.</summary>
/// <remarks>
/// Keys are relative paths with <c>/</c> between parts, no empty part, no <c>.</c> and no <c>..</c>. An object is there whole or not at all.
/// Every call gives up after the implementation's deadline, retries included, with an <see cref="ObjectStoreException"/>; a key that does not exist is
/// an answer, not an error.
/// </remarks>
public interface IObjectStore : IAsyncDisposable
{
    /// <summary>What messages call the store, without secrets: <c>s3://bucket/prefix</c>, a folder.</summary>
    string Name { get; }

    /// <summary>What is known of an object without reading it, or null when there is none.</summary>
    ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation);

    /// <summary>A whole small object with its version, or null when there is none.</summary>
    /// <exception cref="ObjectStoreException">The store failed, or the object is longer than <paramref name="maxBytes"/>.</exception>
    ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation);

    /// <summary>Fills a buffer from an offset of an object; returns the bytes read, fewer than asked only at the object's end.</summary>
    /// <exception cref="ObjectNotFoundException">There is no such object.</exception>
    ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation);

    /// <summary>Stores a small object, when the condition holds; returns its version.</summary>
    /// <exception cref="ConditionFailedException">The condition does not hold; nothing was stored.</exception>
    /// <exception cref="ObjectStoreException">The store failed. The object may or may not have been stored: read it to find out.</exception>
    ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation);

    /// <summary>Stores the content of a local file, of any length, overwriting. After it returns, the object survives a crash of the store's machine.</summary>
    /// <remarks>The file must never be changed in place afterwards: a store on the same file system may keep a second name of it. It may be removed.</remarks>
    ValueTask UploadAsync(string key, string path, CancellationToken cancellation);

    /// <summary>Removes an object; none there is no error.</summary>
    ValueTask DeleteAsync(string key, CancellationToken cancellation);

    /// <summary>All objects whose key starts with a prefix (empty, or ending in <c>/</c>), at any depth, in any order.</summary>
    IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellation);

    /// <summary>The names of the folders right below a prefix (empty, or ending in <c>/</c>), without slashes.</summary>
    IAsyncEnumerable<string> ListFoldersAsync(string prefix, CancellationToken cancellation);

    /// <summary>Where the object lies on this machine, when the store is a local folder; such a file may be mapped and read at once.</summary>
    string? LocalPath(string key) => null;
}

/// <summary>An object without its content.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Length">Its size in bytes.</param>
/// <param name="ModifiedAt">When it was stored, by the store's clock.</param>
public readonly record struct ObjectInfo(string Key, long Length, DateTimeOffset ModifiedAt);

/// <summary>An object with its content.</summary>
/// <param name="Content">The bytes.</param>
/// <param name="Version">What a conditional put names.</param>
public sealed record StoredObject(byte[] Content, ObjectVersion Version);

/// <summary>Names one content of an object, as the store does (an ETag); opaque.</summary>
public readonly record struct ObjectVersion(string Text);

/// <summary>When a put may happen.</summary>
public readonly record struct PutCondition
{
    private PutCondition(bool absent, ObjectVersion? version) => (MustBeAbsent, Version) = (absent, version);

    /// <summary>In any case.</summary>
    public static PutCondition None => default;

    /// <summary>When there is no object under the key.</summary>
    public static PutCondition Absent => new(absent: true, null);

    /// <summary>True when there must be no object.</summary>
    public bool MustBeAbsent { get; }

    /// <summary>The version that must be there, or null.</summary>
    public ObjectVersion? Version { get; }

    /// <summary>When the object is still of this version.</summary>
    public static PutCondition Unchanged(ObjectVersion version) => new(absent: false, version);
}

/// <summary>The store failed: unreachable, slow, full, refusing. Says what was tried on which key of which store.</summary>
public class ObjectStoreException(string message, Exception? cause = null) : IOException(message, cause);

/// <summary>An object that was to be read is not there.</summary>
public sealed class ObjectNotFoundException(string message, Exception? cause = null) : ObjectStoreException(message, cause);

/// <summary>A conditional put met another state than it named.</summary>
public sealed class ConditionFailedException(string message, Exception? cause = null) : ObjectStoreException(message, cause);
