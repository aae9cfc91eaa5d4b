using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Metrics.Model;

namespace Metrics.ObjectStore;

/// <summary>Objects as the files of a folder; a key is the path below it.</summary>
/// <remarks>
/// <para>
/// A put writes a temporary file, flushes it, renames it over the object and flushes the folders above: a crash leaves the old object or the new one.
/// Conditional puts are atomic between all threads and processes of one machine (<see cref="KeyLocks"/>). A version is the SHA-256 of the content.
/// </para>
/// <para>
/// <c>.store</c> inside the folder holds temporary files and lock files and is no part of any key. A folder that lost its last object is removed.
/// Nobody may change a file in place: it may be mapped by readers (<see cref="LocalPath"/>) and be the same file as the one it was uploaded from.
/// The whole folder must be on one file system. A key can not be below another key, as a file can not be a folder: such a put fails.
/// </para>
/// <para>
/// Waiting for another writer of a key ends after <see cref="lockPatience"/>; a call of the operating system can not be given up, so a hanging
/// disk hangs the call.
/// </para>
/// </remarks>
public sealed class FileSystemObjectStore : IObjectStore
{
    private const int CopyBytes = 1 << 20;
    private const int SmallBytes = 64 << 10;
    private const int NotAFolder = 20;

    /// <summary>How often a put makes its folder anew when deletions keep removing it because it is still empty.</summary>
    private const int FolderTries = 100;

    private static readonly TimeSpan lockPatience = TimeSpan.FromSeconds(30);

    private readonly string root;
    private readonly TimeProvider time;
    private readonly TemporaryFiles temporaries;
    private readonly KeyLocks locks;

    private FileSystemObjectStore(string root, TimeProvider time)
    {
        this.root = root;
        this.time = time;
        temporaries = new TemporaryFiles(Path.Combine(root, FolderListing.PrivateFolder, "tmp"), time);
        locks = new KeyLocks(Path.Combine(root, FolderListing.PrivateFolder, "locks"), time);
    }

    /// <inheritdoc/>
    public string Name => root;

    /// <summary>Opens a folder, makes it when there is none, and removes temporary files that a crash left there long ago.</summary>
    /// <exception cref="ObjectStoreException">It can't be made or read.</exception>
    public static FileSystemObjectStore Open(string folder, TimeProvider time)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        try
        {
            if (!Directory.Exists(path))
            {
                Directory.CreateDirectory(path);
                DurableFile.FlushFolder(Path.GetDirectoryName(path) ?? path);
            }

            var store = new FileSystemObjectStore(path, time);
            store.temporaries.Sweep();
            return store;
        }
        catch (Exception e) when (FileSystemFailure.Is(e))
        {
            throw FileSystemFailure.Explain(path, "open the folder", e);
        }
    }

    /// <inheritdoc/>
    public string? LocalPath(string key) => PathOf(key);

    /// <inheritdoc/>
    public ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var path = PathOf(key);
        try
        {
            using var file = TryOpen(path);
            return ValueTask.FromResult<ObjectInfo?>(
                file is null ? null : new ObjectInfo(key, RandomAccess.GetLength(file), new DateTimeOffset(File.GetLastWriteTimeUtc(file))));
        }
        catch (Exception e) when (FileSystemFailure.Is(e))
        {
            throw FileSystemFailure.Explain(Name, $"find {key}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytes);
        var path = PathOf(key);
        try
        {
            using var file = TryOpen(path);
            if (file is null)
            {
                return null;
            }

            var length = RandomAccess.GetLength(file);
            if (length > maxBytes)
            {
                throw new ObjectStoreException($"{Name}: get {key}: the object has {length} bytes, at most {maxBytes} were expected");
            }

            var content = new byte[length];
            var read = await FillAsync(file, 0, content, cancellation);
            return read == length
                ? new StoredObject(content, VersionOf(content))
                : throw new ObjectStoreException($"{Name}: get {key}: the file ended after {read} of {length} bytes: it was changed in place");
        }
        catch (Exception e) when (FileSystemFailure.Is(e))
        {
            throw FileSystemFailure.Explain(Name, $"get {key}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        var path = PathOf(key);
        try
        {
            using var file = TryOpen(path) ?? throw new ObjectNotFoundException($"{Name}: read {key}: there is no such object");
            return await FillAsync(file, offset, into, cancellation);
        }
        catch (Exception e) when (FileSystemFailure.Is(e))
        {
            throw FileSystemFailure.Explain(Name, $"read {key} at {offset}", e);
        }
    }

    /// <inheritdoc/>
    public ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation)
    {
        var path = PathOf(key);
        return new ValueTask<ObjectVersion>(ChangeAsync($"put {key}", async () =>
        {
            using var temporary = temporaries.Write(content.Span);
            using (await locks.TakeAsync(key, lockPatience, cancellation))
            {
                await CheckAsync(key, path, condition, cancellation);
                Publish(temporary, path);
            }

            return VersionOf(content.Span);
        }, cancellation));
    }

    /// <inheritdoc/>
    /// <remarks>On the same file system the object becomes a second name of the source file, so that must not be changed in place afterwards.</remarks>
    public async ValueTask UploadAsync(string key, string path, CancellationToken cancellation)
    {
        var target = PathOf(key);
        await ChangeAsync($"upload {path} as {key}", async () =>
        {
            using var temporary = temporaries.TryLink(path) ?? await temporaries.CopyAsync(path, CopyBytes, cancellation);
            using var held = await locks.TakeAsync(key, lockPatience, cancellation);
            Publish(temporary, target);
            return true;
        }, cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(string key, CancellationToken cancellation)
    {
        var path = PathOf(key);
        await ChangeAsync($"delete {key}", async () =>
        {
            using var held = await locks.TakeAsync(key, lockPatience, cancellation);
            if (File.Exists(path))
            {
                File.Delete(path);
                RemoveEmptyFolders(FlushNearest(Path.GetDirectoryName(path)!));
            }

            return true;
        }, cancellation);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        ObjectKey.CheckPrefix(prefix);
        var open = new Stack<string>([prefix]);
        while (open.TryPop(out var folder))
        {
            cancellation.ThrowIfCancellationRequested();
            var listing = await ListFolderAsync(folder, cancellation);
            foreach (var name in listing.Folders)
            {
                open.Push($"{folder}{name}/");
            }

            foreach (var file in listing.Files)
            {
                yield return file;
            }
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListFoldersAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        ObjectKey.CheckPrefix(prefix);
        foreach (var name in (await ListFolderAsync(prefix, cancellation)).Folders)
        {
            // A folder is there when it holds an object, as in a bucket. An emptied one goes away by itself, unless a crash came between.
            var holds = false;
            await foreach (var _ in ListAsync($"{prefix}{name}/", cancellation))
            {
                holds = true;
                break;
            }

            if (holds)
            {
                yield return name;
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static ObjectVersion VersionOf(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content, hash);
        return new ObjectVersion(Convert.ToHexStringLower(hash));
    }

    /// <summary>Opens an object's file, or null when there is none.</summary>
    private static Microsoft.Win32.SafeHandles.SafeFileHandle? TryOpen(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException || (e is IOException && e.HResult == NotAFolder))
        {
            return null;
        }
        catch (UnauthorizedAccessException) when (Directory.Exists(path))
        {
            return null;
        }
    }

    private static async ValueTask<int> FillAsync(
        Microsoft.Win32.SafeHandles.SafeFileHandle file, long offset, Memory<byte> into, CancellationToken cancellation)
    {
        var total = 0;
        while (total < into.Length)
        {
            // A small object is read quicker than another thread takes over the work; such reads, for the condition of a put, were 15% of the CPU that 10,000 rules took.
            var read = into.Length <= SmallBytes ? RandomAccess.Read(file, into.Span[total..], offset + total) : await RandomAccess.ReadAsync(file, into[total..], offset + total, cancellation);
            if (read == 0)
            {
                break;
            }

            total += read;
        }

        return total;
    }

    private string PathOf(string key)
    {
        ObjectKey.Check(key);
        var path = Path.Combine(root, key);
        return FolderListing.IsPrivate(key) || OperatingSystem.IsWindows() && !path.StartsWith(root, StringComparison.Ordinal)
            ? throw new ArgumentException($"\"{key}\" is no object key here: {FolderListing.PrivateFolder} is the store's own", nameof(key))
            : path;
    }

    /// <summary>Runs a change on the thread pool, since it waits for the disk, and explains its failure.</summary>
    private async Task<T> ChangeAsync<T>(string attempted, Func<Task<T>> change, CancellationToken cancellation)
    {
        try
        {
            return await Task.Run(change, cancellation);
        }
        catch (Exception e) when (FileSystemFailure.Is(e) || e is TimeoutException)
        {
            throw FileSystemFailure.Explain(Name, attempted, e);
        }
    }

    /// <summary>Compares what is there with what a put wants. The caller holds the key's lock.</summary>
    private async ValueTask CheckAsync(string key, string path, PutCondition condition, CancellationToken cancellation)
    {
        if (condition.MustBeAbsent && File.Exists(path))
        {
            throw new ConditionFailedException($"{Name}: put {key}: there is such an object already");
        }

        if (condition.Version is { } wanted)
        {
            var present = (await GetAsync(key, Array.MaxLength, cancellation))?.Version;
            if (present != wanted)
            {
                throw new ConditionFailedException($"{Name}: put {key}: the object is {present?.Text ?? "absent"}, not {wanted.Text}");
            }
        }
    }

    /// <summary>Gives a temporary file its final name, durably. The caller holds the key's lock.</summary>
    private void Publish(TemporaryFile temporary, string path)
    {
        var folder = Path.GetDirectoryName(path)!;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                Directory.CreateDirectory(folder);
                Posix.Rename(temporary.Path, path);
                break;
            }
            catch (IOException e) when (attempt < FolderTries && (e is DirectoryNotFoundException || !Directory.Exists(folder)))
            {
                // A deletion next door took the empty folder away in between; make it again.
            }
        }

        // Also the folders above: they may be new, made by us or by a put next to us that has not flushed them yet.
        for (var at = folder; ; at = Path.GetDirectoryName(at)!)
        {
            DurableFile.FlushFolder(at);
            if (at.Length <= root.Length)
            {
                return;
            }
        }
    }

    /// <summary>Flushes a folder after a deletion, or the nearest above it that is there: another deletion may have removed the emptied one.</summary>
    private string FlushNearest(string folder)
    {
        while (true)
        {
            try
            {
                DurableFile.FlushFolder(folder);
                return folder;
            }
            catch (DirectoryNotFoundException) when (folder.Length > root.Length)
            {
                folder = Path.GetDirectoryName(folder)!;
            }
        }
    }

    private void RemoveEmptyFolders(string folder)
    {
        while (folder.Length > root.Length)
        {
            try
            {
                // A link to a folder is the operator's.
                if (File.GetAttributes(folder).HasFlag(FileAttributes.ReparsePoint))
                {
                    return;
                }

                Directory.Delete(folder, recursive: false);
            }
            catch (Exception e) when (FileSystemFailure.Is(e))
            {
                // Not empty, or gone already: either way there is nothing to do, and the object is deleted.
                return;
            }

            folder = Path.GetDirectoryName(folder)!;
        }
    }

    private async ValueTask<FolderListing> ListFolderAsync(string prefix, CancellationToken cancellation)
    {
        try
        {
            return await Task.Run(() => FolderListing.Read(root, prefix), cancellation);
        }
        catch (Exception e) when (FileSystemFailure.Is(e))
        {
            throw FileSystemFailure.Explain(Name, $"list {prefix}", e);
        }
    }
}
