using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Metrics.Storage;

/// <summary>The one call on sparse files that .NET has no name for.</summary>
internal static partial class SparseFile
{
    private const int KeepSize = 1;
    private const int PunchHole = 2;

    /// <summary>Gives the disk space of a range back; it reads as zeros then. False where the system or the file system can't: on Linux ext4, XFS, Btrfs and tmpfs can.</summary>
    public static bool TryPunch(SafeFileHandle file, long offset, long length) =>
        OperatingSystem.IsLinux() && Environment.Is64BitProcess && Allocate(file, PunchHole | KeepSize, offset, length) == 0;

    [LibraryImport("libc", EntryPoint = "fallocate")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);
}
