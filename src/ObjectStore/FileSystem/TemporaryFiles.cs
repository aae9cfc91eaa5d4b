namespace Metrics.ObjectStore;

/// <summary>Files on their way to becoming objects, in a folder of their own beside them, so that leftovers are found without a search.</summary>
internal sealed class TemporaryFiles(string folder, TimeProvider time)
{
    /// <summary>Longer than any put takes between two writes to its temporary file: whatever is older belongs to a process that is gone.</summary>
    internal static readonly TimeSpan SweepGrace = TimeSpan.FromHours(1);

    /// <summary>Removes what crashes left behind, after a grace time since another process may be writing now.</summary>
    public void Sweep()
    {
        if (!Directory.Exists(folder))
        {
            return;
        }

        var oldest = time.GetUtcNow().UtcDateTime - SweepGrace;
        foreach (var leftover in Directory.EnumerateFiles(folder, "*.tmp"))
        {
            try
            {
                if (File.GetLastWriteTimeUtc(leftover) < oldest)
                {
                    File.Delete(leftover);
                }
            }
            catch (Exception e) when (FileSystemFailure.Is(e))
            {
                // Removed by another process, or on a disk that can only be read: it only takes room, which is no reason to refuse to open.
            }
        }
    }

    /// <summary>A flushed file with this content.</summary>
    public TemporaryFile Write(ReadOnlySpan<byte> content)
    {
        var temporary = New();
        try
        {
            using var file = Create(temporary.Path, content.Length);
            file.Write(content);
            Finish(file);
            return temporary;
        }
        catch
        {
            temporary.Dispose();
            throw;
        }
    }

    /// <summary>A second name of a flushed source file, or null when its file system is another one or does not allow it.</summary>
    /// <remarks>The source gets the present time as its own: the two are one file, and an object's time is when it was stored.</remarks>
    public TemporaryFile? TryLink(string source)
    {
        if (OperatingSystem.IsWindows() || File.GetAttributes(source).HasFlag(FileAttributes.ReparsePoint))
        {
            return null;
        }

        var temporary = New();
        try
        {
            File.SetLastWriteTimeUtc(source, time.GetUtcNow().UtcDateTime);
            using var file = File.OpenHandle(source);
            RandomAccess.FlushToDisk(file);
            if (Posix.TryLink(source, temporary.Path))
            {
                return temporary;
            }
        }
        catch (UnauthorizedAccessException)
        {
            // Not our file to touch: a copy needs no more than to read it.
        }

        temporary.Dispose();
        return null;
    }

    /// <summary>A flushed copy of a file.</summary>
    public async Task<TemporaryFile> CopyAsync(string source, int bufferBytes, CancellationToken cancellation)
    {
        await using var from = new FileStream(source, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
        var temporary = New();
        try
        {
            await using var file = Create(temporary.Path, from.Length);
            await from.CopyToAsync(file, bufferBytes, cancellation);
            Finish(file);
            return temporary;
        }
        catch
        {
            temporary.Dispose();
            throw;
        }
    }

    private static FileStream Create(string path, long length) => new(path, new FileStreamOptions
    {
        Mode = FileMode.CreateNew,
        Access = FileAccess.ReadWrite,
        Share = FileShare.Read | FileShare.Delete,
        BufferSize = 0,
        // A full disk is then noticed before the bytes are moved, where the file system can tell.
        PreallocationSize = length,
    });

    private TemporaryFile New()
    {
        Directory.CreateDirectory(folder);
        return new TemporaryFile(Path.Combine(folder, $"{Guid.NewGuid():N}.tmp"));
    }

    private void Finish(FileStream file)
    {
        File.SetLastWriteTimeUtc(file.SafeFileHandle, time.GetUtcNow().UtcDateTime);
        file.Flush(flushToDisk: true);
    }
}

/// <summary>The name of a temporary file; disposing removes it if it still has it.</summary>
internal sealed class TemporaryFile(string path) : IDisposable
{
    public string Path { get; } = path;

    /// <summary>Removes the file if it still has this name.</summary>
    /// <remarks>Also after a rename: where source and target are one file already, the system leaves both names.</remarks>
    public void Dispose() => File.Delete(Path);
}
