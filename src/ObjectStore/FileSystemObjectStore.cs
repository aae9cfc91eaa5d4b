using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Metrics.Model;

namespace Metrics.ObjectStore;

/// <summary>A folder as a store: an object is a file under its key.</summary>
/// <remarks>
/// An object appears by a rename out of <c>.tmp/</c>, after its bytes are flushed, so it is there whole or not at all, and survives a loss of power once a call has returned. Conditional puts
/// hold the lock file <c>.lock</c> (flock), which works between the threads of a process, between processes of a machine, and over NFS 4; a version is the content's SHA-256, so it needs no
/// place of its own. Plain puts and uploads don't take the lock: nobody compares against what they write.
/// A key cannot be both an object and a folder of others.
/// </remarks>
public sealed partial class FileSystemObjectStore : IObjectStore
{
    private const string UnfinishedFolder = ".tmp";
    private const string LockFile = ".lock";
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan UnfinishedAge = TimeSpan.FromDays(1);
    private readonly string root;
    private readonly TimeProvider time;

    private FileSystemObjectStore(string root, TimeProvider time)
    {
        this.root = root;
        this.time = time;
    }

    /// <inheritdoc/>
    public string Name => root;

    /// <summary>Opens a folder, which is made if it is not there, and removes what writes that were cut short left a day ago.</summary>
    /// <exception cref="ObjectStoreException">The folder can't be used.</exception>
    public static FileSystemObjectStore Open(string folder, TimeProvider time)
    {
        var full = Path.GetFullPath(folder);
        try
        {
            var unfinished = Directory.CreateDirectory(Path.Combine(full, UnfinishedFolder));
            foreach (var file in unfinished.EnumerateFiles().Where(f => time.GetUtcNow() - new DateTimeOffset(f.LastWriteTimeUtc) > UnfinishedAge))
            {
                file.Delete();
            }

            return new FileSystemObjectStore(full, time);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ObjectStoreException($"{full} can't be used as an object store: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public string LocalPath(string key)
    {
        ObjectKey.Check(key);
        return key.StartsWith('.') && (key == LockFile || key == UnfinishedFolder || key.StartsWith(UnfinishedFolder + "/", StringComparison.Ordinal))
            ? throw new ArgumentException($"the key '{key}' is taken by the store itself", nameof(key))
            : Path.Combine(root, key);
    }

    /// <inheritdoc/>
    public ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var file = new FileInfo(LocalPath(key));
        return ValueTask.FromResult<ObjectInfo?>(file.Exists ? InfoOf(key, file) : null);
    }

    /// <inheritdoc/>
    public async ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation)
    {
        try
        {
            await using var file = new FileStream(LocalPath(key), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1, useAsync: true);
            if (file.Length > maxBytes)
            {
                throw new ObjectStoreException($"{root}: {key} has {file.Length} bytes, more than the {maxBytes} that are read at once");
            }

            var content = new byte[file.Length];
            await file.ReadExactlyAsync(content, cancellation);
            return new StoredObject(content, VersionOf(content));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed("read", key, e);
        }
    }

    /// <inheritdoc/>
    public ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        try
        {
            using var file = File.OpenHandle(LocalPath(key), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var read = 0;
            while (read < into.Length && RandomAccess.Read(file, into.Span[read..], offset + read) is > 0 and var got)
            {
                read += got;
            }

            return ValueTask.FromResult(read);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ObjectNotFoundException($"{root}: there is no {key}", e);
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed("read", key, e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation)
    {
        var path = LocalPath(key);
        try
        {
            if (condition == PutCondition.None)
            {
                Write(path, content.Span);
            }
            else
            {
                await using var held = await LockAsync(cancellation);
                await CheckAsync(key, condition, cancellation);
                Write(path, content.Span);
            }

            return VersionOf(content.Span);
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed("write", key, e);
        }
    }

    /// <inheritdoc/>
    public ValueTask UploadAsync(string key, string path, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var target = LocalPath(key);
        var fresh = UnfinishedPath();
        try
        {
            // What is uploaded does not change any more, so a second name for the same bytes is a copy that costs nothing.
            if (OperatingSystem.IsWindows() || Link(path, fresh) != 0)
            {
                File.Copy(path, fresh);
            }

            using (var file = File.OpenHandle(fresh, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
            {
                RandomAccess.FlushToDisk(file);
            }

            Place(fresh, target);
            return ValueTask.CompletedTask;
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed("write", key, e);
        }
        finally
        {
            File.Delete(fresh);
        }
    }

    /// <inheritdoc/>
    public ValueTask DeleteAsync(string key, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var path = LocalPath(key);
        try
        {
            if (File.Exists(path))
            {
                File.Delete(path);
                var folder = Path.GetDirectoryName(path)!;
                DurableFile.FlushFolder(folder);
                RemoveEmpty(folder);
            }

            return ValueTask.CompletedTask;
        }
        catch (DirectoryNotFoundException)
        {
            // Somebody else has removed the last object of the folder, and the folder with it.
            return ValueTask.CompletedTask;
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed("delete", key, e);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        ObjectKey.CheckPrefix(prefix);
        foreach (var file in Files(new DirectoryInfo(Path.Combine(root, prefix))))
        {
            cancellation.ThrowIfCancellationRequested();
            await Task.CompletedTask;
            if (Path.GetRelativePath(root, file.FullName).Replace('\\', '/') is var key && key != LockFile && file.Exists)
            {
                yield return InfoOf(key, file);
            }
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListFoldersAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellation)
    {
        ObjectKey.CheckPrefix(prefix);
        var folder = new DirectoryInfo(Path.Combine(root, prefix));
        foreach (var name in folder.Exists ? folder.EnumerateDirectories().Select(d => d.Name).Where(n => prefix.Length > 0 || n != UnfinishedFolder).ToList() : [])
        {
            cancellation.ThrowIfCancellationRequested();
            await Task.CompletedTask;
            yield return name;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static ObjectInfo InfoOf(string key, FileInfo file) => new(key, file.Length, new DateTimeOffset(file.LastWriteTimeUtc));

    private static ObjectVersion VersionOf(ReadOnlySpan<byte> content) => new(Convert.ToHexStringLower(SHA256.HashData(content)));

    private static bool IsFailure(Exception e) => e is IOException and not ObjectStoreException or UnauthorizedAccessException;

    private IEnumerable<FileInfo> Files(DirectoryInfo folder)
    {
        if (!folder.Exists)
        {
            return [];
        }

        return folder.FullName.TrimEnd(Path.DirectorySeparatorChar) == root
            ? folder.EnumerateFiles().Concat(folder.EnumerateDirectories().Where(d => d.Name != UnfinishedFolder).SelectMany(Below)).ToList()
            : Below(folder).ToList();
    }

    private static IEnumerable<FileInfo> Below(DirectoryInfo folder) => folder.EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None });

    private async ValueTask CheckAsync(string key, PutCondition condition, CancellationToken cancellation)
    {
        if (condition.MustBeAbsent && File.Exists(LocalPath(key)))
        {
            throw new ConditionFailedException($"{root}: {key} was to be absent, and is there");
        }

        if (condition.Version is { } want && (await GetAsync(key, int.MaxValue, cancellation))?.Version is var got && got != want)
        {
            throw new ConditionFailedException($"{root}: {key} was to be of version {want.Text}, and is {got?.Text ?? "absent"}");
        }
    }

    private async ValueTask<FileStream> LockAsync(CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            try
            {
                // FileShare.None is an flock on Unix; the system drops it when the process ends in whatever way.
                return new FileStream(Path.Combine(root, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            }
            catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException))
            {
                if (time.GetElapsedTime(began) > LockPatience)
                {
                    throw new ObjectStoreException($"{root}: the lock for conditional writes was held for {LockPatience.TotalSeconds} s by others", e);
                }
            }

            await Task.Delay(LockPoll, time, cancellation);
        }
    }

    private void Write(string path, ReadOnlySpan<byte> content)
    {
        var fresh = UnfinishedPath();
        try
        {
            using (var file = File.OpenHandle(fresh, FileMode.CreateNew, FileAccess.Write))
            {
                RandomAccess.Write(file, content, 0);
                RandomAccess.FlushToDisk(file);
            }

            Place(fresh, path);
        }
        finally
        {
            File.Delete(fresh);
        }
    }

    private void Place(string fresh, string target)
    {
        var folder = Path.GetDirectoryName(target)!;
        for (var attempt = 0; ; attempt++)
        {
            var made = Made(folder);
            try
            {
                File.Move(fresh, target, overwrite: true);
                made.ForEach(DurableFile.FlushFolder);
                DurableFile.FlushFolder(folder);
                return;
            }
            catch (DirectoryNotFoundException) when (attempt < 100)
            {
                // A delete beside us removed the folder, which was empty until now.
            }
        }
    }

    // The parents of folders that have to be made, so that the new names can be flushed too.
    private static List<string> Made(string folder)
    {
        var parents = new List<string>();
        for (var at = folder; !Directory.Exists(at); at = Path.GetDirectoryName(at)!)
        {
            parents.Add(Path.GetDirectoryName(at)!);
        }

        Directory.CreateDirectory(folder);
        return parents;
    }

    private void RemoveEmpty(string folder)
    {
        for (var at = folder; at.Length > root.Length && !Directory.EnumerateFileSystemEntries(at).Any(); at = Path.GetDirectoryName(at)!)
        {
            try
            {
                Directory.Delete(at);
            }
            catch (IOException)
            {
                // Somebody has put an object there since.
                return;
            }
        }
    }

    private string UnfinishedPath() => Path.Combine(root, UnfinishedFolder, Guid.NewGuid().ToString("N"));

    private ObjectStoreException Failed(string what, string key, Exception cause) => new($"{root}: can't {what} {key}: {cause.Message}", cause);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int Link(string existing, string added);
}
