using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>Makes renames and new names in a directory survive a power cut; files have their own flush.</summary>
internal static partial class DirectorySync
{
    /// <summary>Flushes a directory's entries to the disk. On Windows the file system does so itself.</summary>
    /// <exception cref="IOException">The directory cannot be opened or flushed.</exception>
    public static void Flush(string directory)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        // .NET opens no directories, so the calls are made directly.
        var handle = Open(directory, 0);
        var failed = handle < 0 || Fsync(handle) != 0;
        var error = failed ? Marshal.GetLastPInvokeError() : 0;
        if (handle >= 0)
        {
            _ = Close(handle);
        }

        if (failed)
        {
            throw new IOException($"{directory}: cannot flush the directory: {new Win32Exception(error).Message}");
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
