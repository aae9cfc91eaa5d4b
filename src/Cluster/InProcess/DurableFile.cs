using Microsoft.Win32.SafeHandles;

namespace Metrics.Cluster;

/// <summary>Small files that are replaced whole, so that a crash leaves the old or the new content.</summary>
internal static class DurableFile
{
    /// <summary>Writes beside the file, flushes, renames over it, and flushes the folder.</summary>
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

    /// <summary>Makes created, renamed and deleted entries of a folder durable. Does nothing on Windows, where the journal does it.</summary>
    public static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var descriptor = Open(folder, 0);
        if (descriptor < 0)
        {
            throw new IOException($"can't open folder {folder} to flush it: error {System.Runtime.InteropServices.Marshal.GetLastPInvokeError()}");
        }

        using var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        if (Fsync(descriptor) != 0)
        {
            throw new IOException($"can't flush folder {folder}: error {System.Runtime.InteropServices.Marshal.GetLastPInvokeError()}");
        }
    }

    // File.OpenHandle refuses folders, and without this flush a rename may not survive a power cut.
    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "open", SetLastError = true)]
    private static extern int Open([System.Runtime.InteropServices.MarshalAs(System.Runtime.InteropServices.UnmanagedType.LPUTF8Str)] string path, int flags);

    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static extern int Fsync(int descriptor);
}
