using System.Diagnostics;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>Runs the real promtool.</summary>
internal static class Promtool
{
    /// <summary>Runs a command; its exit code must be 0. Returns what it printed.</summary>
    public static string Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("promtool", arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException("promtool is not installed: run 'apt-get install prometheus' (Debian) first", e);
        }

        using (process)
        {
            var errors = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, $"promtool {string.Join(' ', arguments)} exited {process.ExitCode}: {errors.Result}{output}");
            return output;
        }
    }
}
