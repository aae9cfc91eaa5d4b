using System.Diagnostics;

namespace Metrics.TenantBench;

/// <summary>Puts the process that measures before all others, for it stands for other machines: what it waits for a processor here would count as the server's.</summary>
/// <remarks>From its first thread on, for a thread is what the one that makes it is: of threads that are put there later some have made others before.</remarks>
internal static class RealTime
{
    private const string Mark = "METRICS_BENCH_REAL_TIME";

    /// <summary>The runtime's; compiling again what is called often, it would take milliseconds while this measures, before all others too.</summary>
    private const string Tiers = "DOTNET_TieredCompilation";

    /// <summary>What starts a program that is like others, whoever starts it.</summary>
    public static IReadOnlyList<string> Ordinary { get; } = IsOn ? ["env", "-u", Tiers, "chrt", "--other", "0"] : [];

    private static bool IsOn => Environment.GetEnvironmentVariable(Mark) is not null;

    /// <summary>Runs this program again as a process of that kind and gives what it exits with; null when this is one, or can't make one.</summary>
    public static async Task<int?> RunAgainAsync(IReadOnlyList<string> arguments)
    {
        if (IsOn)
        {
            return null;
        }

        using var trial = Process.Start("chrt", ["--fifo", "1", "true"]);
        await trial.WaitForExitAsync();
        if (trial.ExitCode != 0)
        {
            Console.Error.WriteLine("this process can't be put before the others (root), so its own waits for a processor are measured too");
            return null;
        }

        var start = new ProcessStartInfo("chrt", ["--fifo", "1", "dotnet", typeof(RealTime).Assembly.Location, .. arguments]) { UseShellExecute = false };
        start.Environment[Mark] = "1";
        start.Environment[Tiers] = "0";
        using var again = Process.Start(start)!;
        await again.WaitForExitAsync();
        return again.ExitCode;
    }
}
