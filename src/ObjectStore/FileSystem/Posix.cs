using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Metrics.ObjectStore;

/// <summary>The few calls of the operating system that .NET has no name for. On Windows they say so or are not needed.</summary>
internal static partial class Posix
{
    private const int LockExclusive = 2;
    private const int LockNonBlocking = 4;
    private const int NoEntry = 2;
    private const int Interrupted = 4;

    /// <summary>EWOULDBLOCK, which macOS numbers differently.</summary>
    private static readonly int wouldBlock = OperatingSystem.IsLinux() ? 11 : 35;

    /// <summary>Takes the exclusive lock of an open file if nobody else has it, in this process or another.</summary>
    /// <exception cref="IOException">The file system has no locks, or another failure: never taken for success.</exception>
    public static bool TryLock(SafeFileHandle file)
    {
        while (true)
        {
            if (Flock(file, LockExclusive | LockNonBlocking) == 0)
            {
                return true;
            }

            var error = Marshal.GetLastPInvokeError();
            if (error == wouldBlock)
            {
                return false;
            }

            if (error != Interrupted)
            {
                throw Failure("cannot lock a file", error);
            }
        }
    }

    /// <summary>True when opening a file failed because another has its lock.</summary>
    public static bool IsWouldBlock(IOException e) => e.HResult == wouldBlock;

    /// <summary>Gives a file a second name; false when the file system refuses (another one, no links, not permitted).</summary>
    public static bool TryLink(string existing, string added) => !OperatingSystem.IsWindows() && Link(existing, added) == 0;

    /// <summary>Gives a file another name, in one step for whoever looks; replaces what has that name. Never copies.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such source, or no folder for the new name.</exception>
    /// <exception cref="IOException">Another failure, such as two file systems or a folder of that name.</exception>
    public static void Rename(string from, string to)
    {
        if (OperatingSystem.IsWindows())
        {
            File.Move(from, to, overwrite: true);
            return;
        }

        // File.Move falls back to copying between file systems, which is not one step.
        if (RenameFile(from, to) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            throw error == NoEntry ? new DirectoryNotFoundException($"{to}: there is no folder for it") : Failure(to, error);
        }
    }

    private static IOException Failure(string what, int error) => new($"{what}: {new Win32Exception(error).Message}", error);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int Flock(SafeFileHandle handle, int operation);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int Link(string existing, string added);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int RenameFile(string from, string to);
}
