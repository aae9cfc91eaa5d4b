using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>The memory outside the garbage collector's sight, as the C library keeps it.</summary>
public static unsafe class NativeHeap
{
    private const string TrimName = "malloc_trim";

    /// <summary>Gives pages back to the operating system that heads have freed: glibc keeps those in between others for later. Nothing where the C library has no such call, since those give back by themselves.</summary>
    public static void Trim()
    {
        if (OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out var library))
        {
            if (NativeLibrary.TryGetExport(library, TrimName, out var trim))
            {
                _ = ((delegate* unmanaged<nuint, int>)trim)(0);
            }

            NativeLibrary.Free(library);
        }
    }
}
