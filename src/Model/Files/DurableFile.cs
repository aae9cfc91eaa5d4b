using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Metrics.Model;

/// <summary>Files and names that survive a crash.</summary>
public static partial class DurableFile
{
    private const int NoEntry = 2;

    /// <summary>Replaces a small file whole: writes beside it, flushes, renames over it, flushes the folder. A crash leaves the old or the new content.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content)
    {
        var fresh = path + ".tmp";
        using (var file = File.OpenHandle(fresh, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.Write(file, content, 0);
            RandomAccess.FlushToDisk(file);
        }

        File.Move(fresh, path, overwrite: true);
        FlushFolder(Path.GetDirectoryName(path)!);
    }

    /// <summary>Makes created, renamed and deleted entries of a folder durable; files have their own flush. On Windows the file system does so itself.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="IOException">The folder can't be opened or flushed.</exception>
    public static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        // .NET opens no folders, so the calls are made directly.
        var handle = Open(folder, 0);
        var failed = handle < 0 || Fsync(handle) != 0;
        var error = failed ? Marshal.GetLastPInvokeError() : 0;
        if (handle >= 0)
        {
            _ = Close(handle);
        }

        if (failed)
        {
            throw error == NoEntry
                ? new DirectoryNotFoundException($"{folder}: there is no such folder")
                : new IOException($"{folder}: can't flush the folder: {new Win32Exception(error).Message}");
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int Fsync(int handle);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int Close(int handle);
}
