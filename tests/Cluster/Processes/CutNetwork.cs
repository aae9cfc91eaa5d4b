using System.Diagnostics;
using Metrics.EndToEnd.Programs;

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Hosts in network namespaces of this machine, each with two links: one to the test, for HTTP, and one to the other hosts, which can be cut.</summary>
/// <remarks>
/// <code>
///   test ── bridge t ─┬─ host 0 ─┬─ bridge c       t: 10.213.x.0/24, host n is .10+n, the test .1
///                     ├─ host 1 ─┤                 c: 10.214.x.0/24, host n is .10+n; nobody else
///                     └─ host 2 ─┘
/// </code>
/// Needs root and iproute2. All of it lives in this machine, and goes with the object.
/// </remarks>
internal sealed class CutNetwork : IDisposable
{
    private static int networks;

    private readonly int network;
    private readonly string name;
    private readonly int count;

    private CutNetwork(int count)
    {
        // Other names and addresses each time: the system removes a namespace, and the links into it, some time after it was told to.
        var number = Interlocked.Increment(ref networks);
        network = (Environment.ProcessId + (37 * number)) % 200;
        name = $"m{Environment.ProcessId % 100_000}{(char)('a' + (number % 26))}";
        this.count = count;
    }

    /// <summary>Makes hosts.</summary>
    public static async Task<CutNetwork> CreateAsync(int hosts)
    {
        var made = new CutNetwork(hosts);
        try
        {
            await made.CreateAsync();
            return made;
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    /// <summary>A host.</summary>
    public SiloHost Host(int n) => new($"10.213.{network}.{10 + n}", $"10.214.{network}.{10 + n}", Namespace(n));

    /// <summary>Cuts a host off the others; the test still reaches it.</summary>
    public Task CutAsync(int n) => IpAsync("link", "set", Link('c', n), "down");

    /// <summary>Connects it again.</summary>
    public Task HealAsync(int n) => IpAsync("link", "set", Link('c', n), "up");

    public void Dispose()
    {
        for (var n = 0; n < count; n++)
        {
            Remove("netns", "del", Namespace(n));
        }

        Remove("link", "del", name + "t");
        Remove("link", "del", name + "c");
    }

    private async Task CreateAsync()
    {
        foreach (var bridge in new[] { "t", "c" })
        {
            await IpAsync("link", "add", name + bridge, "type", "bridge");
            await IpAsync("link", "set", name + bridge, "up");
        }

        await IpAsync("addr", "add", $"10.213.{network}.1/24", "dev", name + "t");
        for (var n = 0; n < count; n++)
        {
            await IpAsync("netns", "add", Namespace(n));
            await IpAsync("-n", Namespace(n), "link", "set", "lo", "up");
            foreach (var (bridge, address) in new[] { ('t', Host(n).Http), ('c', Host(n).Cluster) })
            {
                await IpAsync("link", "add", Link(bridge, n), "type", "veth", "peer", "name", $"e{bridge}", "netns", Namespace(n));
                await IpAsync("link", "set", Link(bridge, n), "master", name + bridge, "up");
                await IpAsync("-n", Namespace(n), "addr", "add", address + "/24", "dev", $"e{bridge}");
                await IpAsync("-n", Namespace(n), "link", "set", $"e{bridge}", "up");
            }
        }
    }

    private string Namespace(int n) => $"{name}h{n}";

    private string Link(char bridge, int n) => $"{name}{bridge}{n}";

    private static async Task IpAsync(params string[] arguments)
    {
        var (code, output) = await RunningProgram.RunAsync("ip", arguments);
        if (code != 0)
        {
            throw new InvalidOperationException($"ip {string.Join(' ', arguments)} ended with {code}: {output}");
        }
    }

    /// <summary>What was never made is not there to be removed.</summary>
    private static void Remove(params string[] arguments)
    {
        using var ip = Process.Start(new ProcessStartInfo("ip", arguments) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true });
        ip?.WaitForExit();
    }
}
