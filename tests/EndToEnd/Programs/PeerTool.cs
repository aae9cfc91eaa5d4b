using System.Diagnostics;
using Xunit;

namespace Metrics.EndToEnd.Programs;

/// <summary>The real promtool.</summary>
internal static class Promtool
{
    /// <summary>Runs a command; its exit code must be 0. Returns what it printed.</summary>
    public static string Run(params string[] arguments) => PeerTool.Run("promtool", "prometheus", arguments);
}

/// <summary>The real amtool.</summary>
internal static class Amtool
{
    /// <summary>Runs a command; its exit code must be 0. Returns what it printed.</summary>
    public static string Run(params string[] arguments) => PeerTool.Run("amtool", "prometheus-alertmanager", arguments);
}

/// <summary>A peer's command-line tool.</summary>
file static class PeerTool
{
    public static string Run(string name, string package, string[] arguments)
    {
        var start = new ProcessStartInfo(name, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException($"{name} is not installed: run 'apt-get install {package}' (Debian) first", e);
        }

        using (process)
        {
            var errors = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, $"{name} {string.Join(' ', arguments)} exited {process.ExitCode}: {errors.Result}{output}");
            return output;
        }
    }
}
