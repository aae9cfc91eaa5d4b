using System.Globalization;
using System.Text;
using Metrics.SideBySide;

namespace Metrics.TenantBench;

/// <summary>Measures a quiet tenant alone, beside one that sends a hundred times its limits, beside one with the heaviest queries, and beside both.</summary>
internal static class NeighboursRun
{
    private const int Scrapes = 240;
    private const int QuietSeries = 10_000;

    /// <summary>Runs the phases, of which those of one kind are taken together; 0 when the p99 of both writes and queries stays below twice that alone.</summary>
    public static async Task<int> RunAsync(string root, TimeSpan length, int heavySeries, IReadOnlyList<string> phases)
    {
        var overrides = Path.Combine(root, "overrides.yml");
        await File.WriteAllTextAsync(overrides, $"overrides:\n  {Flood.Tenant}: {Flood.Limits}\n");
        using var server = await Server.StartAsync("metrics", root, rules: null, ["--tenancy-overrides-file", overrides], RealTime.Ordinary);

        var kinds = phases.Distinct(StringComparer.Ordinal).ToDictionary(static phase => phase, static _ => new Measured(), StringComparer.Ordinal);
        var warming = TimeSpan.FromSeconds(Math.Min(15, length.TotalSeconds));

        // Scrapes that are fifteen seconds apart are sent every second, and the last is not to lie in the future.
        var live = (warming * kinds.Count) + (length * phases.Count);
        var firstMs = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - (ChurningScrapes.IntervalMs * (Scrapes + (long)live.TotalSeconds));
        var quiet = new ChurningScrapes(QuietSeries, firstMs, seed: 1);
        await FillAsync(server, "quiet", quiet);
        await FillAsync(server, HeavyQueries.Tenant, new ChurningScrapes(heavySeries, firstMs, seed: 2));
        var endMs = quiet.DueMs(Scrapes - 1) / 60_000 * 60_000;
        var tenant = new QuietTenant(server.Address, quiet, Scrapes);

        // What is compiled and cached with time is so before it is measured.
        foreach (var kind in kinds.Keys)
        {
            await MeasureAsync(kind, warming, new Measured());
        }

        foreach (var kind in phases)
        {
            await MeasureAsync(kind, length, kinds[kind]);
            Console.Error.WriteLine(kinds[kind].Row(kind, kinds["alone"]));
        }

        Console.WriteLine("| beside it | writes p50, ms | p99 | queries p50, ms | p99 | writes p50, p99 / alone | queries p50, p99 / alone | server's CPU, cores | stopped for garbage collection, % | RSS, MiB |\n|---|---|---|---|---|---|---|---|---|---|");
        foreach (var (kind, measured) in kinds)
        {
            Console.WriteLine(measured.Row(kind, kinds["alone"]));
        }

        return kinds.Values.All(measured => measured.IsBelow(2, kinds["alone"])) ? 0 : 1;

        async Task MeasureAsync(string phase, TimeSpan time, Measured measured)
        {
            var neighbours = new List<Neighbour>();
            foreach (var kind in phase == "both" ? ["flood", "heavy"] : phase == "alone" ? Array.Empty<string>() : [phase])
            {
                neighbours.Add(await Neighbour.StartAsync(kind, server.Address, endMs));
            }

            var cpu = ProcessMeter.CpuSeconds(server.ProcessId);
            var before = await CollectionsAsync(server);
            var (writes, queries) = await tenant.RunAsync(time);
            var collected = (await CollectionsAsync(server)).Zip(before, static (now, then) => now - then).ToList();
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{phase}: garbage collections of generations 0, 1, 2: {collected[1]}, {collected[2]}, {collected[3]}, {1000 * collected[0]:F0} ms in all"));
            measured.Add(writes, queries, time, ProcessMeter.CpuSeconds(server.ProcessId) - cpu, collected[0], ProcessMeter.ResidentMib(server.ProcessId));
            foreach (var neighbour in neighbours)
            {
                Console.Error.WriteLine($"{phase}: {await neighbour.StopAsync()}");
                neighbour.Dispose();
            }
        }
    }

    /// <summary>Seconds stopped for garbage collection since the start, and collections by generation.</summary>
    private static async Task<IReadOnlyList<double>> CollectionsAsync(Server server)
    {
        var lines = Encoding.UTF8.GetString(await server.GetAsync("metrics")).Split('\n');
        return [.. new[] { "dotnet_gc_pause_seconds_total", "dotnet_gc_collections_total{generation=\"0\"}", "dotnet_gc_collections_total{generation=\"1\"}", "dotnet_gc_collections_total{generation=\"2\"}" }
            .Select(name => double.Parse(lines.First(l => l.StartsWith(name + " ", StringComparison.Ordinal))[name.Length..], CultureInfo.InvariantCulture))];
    }

    private static async Task FillAsync(Server server, string name, ChurningScrapes data)
    {
        using var client = new TenantClient(server.Address, name, connections: 4);
        for (var scrape = 0; scrape < Scrapes; scrape++)
        {
            await Parallel.ForEachAsync(data.Bodies(scrape), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (body, _) =>
            {
                var (status, text) = await client.WriteAsync(body);
                if (status != 204)
                {
                    throw new HttpRequestException($"{name} could not be filled: {status} {text}");
                }
            });
        }
    }
}
