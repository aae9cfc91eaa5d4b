using System.Globalization;
using System.IO.Enumeration;

namespace Metrics.SideBySide;

/// <summary>What the kernel says about a running process: CPU time used, memory resident now and at most.</summary>
internal static class ProcessMeter
{
    /// <summary>Clock ticks a second in /proc/PID/stat; 100 on every Linux that .NET runs on.</summary>
    private const double TicksPerSecond = 100;

    /// <summary>User and system CPU seconds since the process began, all its threads.</summary>
    public static double CpuSeconds(int processId)
    {
        // The command name in parentheses may hold blanks, so fields are counted from behind it; utime and stime are fields 14 and 15.
        var stat = File.ReadAllText($"/proc/{processId}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
    }

    /// <summary>Resident MiB now.</summary>
    public static double ResidentMib(int processId) => StatusKib(processId, "VmRSS:") / 1024;

    /// <summary>The most MiB ever resident.</summary>
    public static double PeakMib(int processId) => StatusKib(processId, "VmHWM:") / 1024;

    /// <summary>Bytes of all files under a directory; one that goes meanwhile has none.</summary>
    public static long DiskBytes(string directory) => !Directory.Exists(directory) ? 0
        : new FileSystemEnumerable<long>(directory, static (ref FileSystemEntry file) => file.Length, new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None })
        {
            ShouldIncludePredicate = static (ref FileSystemEntry entry) => !entry.IsDirectory,
        }.Sum();

    private static double StatusKib(int processId, string key)
    {
        var line = File.ReadLines($"/proc/{processId}/status").First(l => l.StartsWith(key, StringComparison.Ordinal));
        return double.Parse(line[key.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture);
    }
}
