using System.Diagnostics;
using System.Globalization;

namespace Metrics.TenantBench;

/// <summary>A neighbour's programs, in a process of its own with the lowest priority: what is measured is what it takes from the server, not what its making of requests takes from the machine.</summary>
internal sealed class Neighbour : IDisposable
{
    private readonly Process process;

    private Neighbour(Process process) => this.process = process;

    /// <summary>Starts one and waits until it sends.</summary>
    /// <param name="kind"><c>flood</c> or <c>heavy</c>.</param>
    /// <param name="server">Whom it sends to.</param>
    /// <param name="endMs">The last instant that has samples.</param>
    public static async Task<Neighbour> StartAsync(string kind, Uri server, long endMs)
    {
        string[] command = [.. RealTime.Ordinary, "nice", "-n", "19", "dotnet", typeof(Neighbour).Assembly.Location, kind, server.ToString(), endMs.ToString(CultureInfo.InvariantCulture)];
        var started = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        await started.StandardOutput.ReadLineAsync();
        return new Neighbour(started);
    }

    /// <summary>Stops it; gives what it says of itself.</summary>
    public async Task<string> StopAsync()
    {
        process.StandardInput.Close();
        var line = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return line.Trim();
    }

    /// <summary>What such a process does: says that it sends, and sends until its input ends.</summary>
    public static async Task<int> BeAsync(string kind, Uri server, long endMs)
    {
        async Task UntilStopped()
        {
            await Console.Out.WriteLineAsync("sending");
            await Console.In.ReadToEndAsync();
        }

        await Console.Out.WriteLineAsync(kind == "flood" ? await Flood.RunAsync(server, UntilStopped) : await HeavyQueries.RunAsync(server, endMs, UntilStopped));
        return 0;
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
        }

        process.Dispose();
    }
}
