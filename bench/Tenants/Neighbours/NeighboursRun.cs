using System.Globalization;
using System.Text;
using Metrics.SideBySide;

namespace Metrics.TenantBench;

/// <summary>Measures a quiet tenant alone, beside one that sends a hundred times its limits, beside one with the heaviest queries, and beside both.</summary>
internal static class NeighboursRun
{
    private const int Scrapes = 240;
    private const int QuietSeries = 10_000;

    /// <summary>Runs the phases; 0 when the p99 of both writes and queries stays below twice that alone.</summary>
    public static async Task<int> RunAsync(string root, TimeSpan length, int heavySeries, IReadOnlyList<string> phases)
    {
        var overrides = Path.Combine(root, "overrides.yml");
        await File.WriteAllTextAsync(overrides, $"overrides:\n  {Flood.Tenant}: {Flood.Limits}\n");
        using var server = await Server.StartAsync("metrics", root, rules: null, ["--tenancy-overrides-file", overrides]);

        // Live scrapes follow faster than fifteen seconds apart, and the last is not to lie in the future.
        var firstMs = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - (long)TimeSpan.FromMinutes(120).TotalMilliseconds;
        var quiet = new ChurningScrapes(QuietSeries, firstMs, seed: 1);
        await FillAsync(server, "quiet", quiet);
        await FillAsync(server, HeavyQueries.Tenant, new ChurningScrapes(heavySeries, firstMs, seed: 2));
        var endMs = quiet.DueMs(Scrapes - 1) / 60_000 * 60_000;
        var tenant = new QuietTenant(server.Address, quiet, Scrapes);

        // What is compiled and cached with time is so before it is measured.
        await tenant.RunAsync(TimeSpan.FromSeconds(Math.Min(15, length.TotalSeconds)));
        var table = new StringBuilder("| beside it | writes p50, ms | p99 | queries p50, ms | p99 | writes p50, p99 / alone | queries p50, p99 / alone | server's CPU, cores | stopped for garbage collection, % | RSS, MiB |\n|---|---|---|---|---|---|---|---|---|---|\n");
        var alone = (Writes: (IReadOnlyCollection<double>)[], Queries: (IReadOnlyCollection<double>)[]);
        var isKept = true;
        foreach (var phase in phases)
        {
            var neighbours = new List<Neighbour>();
            foreach (var kind in phase == "both" ? ["flood", "heavy"] : phase == "alone" ? Array.Empty<string>() : [phase])
            {
                neighbours.Add(await Neighbour.StartAsync(kind, server.Address, endMs));
            }

            var cpu = ProcessMeter.CpuSeconds(server.ProcessId);
            var before = await CollectionsAsync(server);
            var measured = await tenant.RunAsync(length);
            cpu = (ProcessMeter.CpuSeconds(server.ProcessId) - cpu) / length.TotalSeconds;
            var collected = (await CollectionsAsync(server)).Zip(before, static (now, then) => now - then).ToList();
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{phase}: garbage collections of generations 0, 1, 2: {collected[1]}, {collected[2]}, {collected[3]}, {1000 * collected[0]:F0} ms in all"));
            foreach (var neighbour in neighbours)
            {
                Console.Error.WriteLine($"{phase}: {await neighbour.StopAsync()}");
                neighbour.Dispose();
            }

            alone = phase == "alone" && alone.Writes.Count == 0 ? measured : alone;
            var (writes, writesKept) = Ratios(measured.Writes, alone.Writes);
            var (queries, queriesKept) = Ratios(measured.Queries, alone.Queries);
            isKept &= writesKept && queriesKept;
            var row = string.Create(
                CultureInfo.InvariantCulture,
                $"| {phase} ({measured.Writes.Count} writes, {measured.Queries.Count} queries) | {At(measured.Writes, 0.5):F1} | {At(measured.Writes, 0.99):F1} | {At(measured.Queries, 0.5):F1} | {At(measured.Queries, 0.99):F1} | {writes} | {queries} | {cpu:F2} | {100 * collected[0] / length.TotalSeconds:F1} | {ProcessMeter.ResidentMib(server.ProcessId):F0} |");
            Console.Error.WriteLine(row);
            table.AppendLine(row);
        }

        Console.Write(table);
        return isKept ? 0 : 1;
    }

    /// <summary>Seconds stopped for garbage collection since the start, and collections by generation.</summary>
    private static async Task<IReadOnlyList<double>> CollectionsAsync(Server server)
    {
        var lines = Encoding.UTF8.GetString(await server.GetAsync("metrics")).Split('\n');
        return [.. new[] { "dotnet_gc_pause_seconds_total", "dotnet_gc_collections_total{generation=\"0\"}", "dotnet_gc_collections_total{generation=\"1\"}", "dotnet_gc_collections_total{generation=\"2\"}" }
            .Select(name => double.Parse(lines.First(l => l.StartsWith(name + " ", StringComparison.Ordinal))[name.Length..], CultureInfo.InvariantCulture))];
    }

    private static double At(IEnumerable<double> times, double rank) => Statistics.Quantile(times, rank);

    private static (string Text, bool IsKept) Ratios(IReadOnlyCollection<double> now, IReadOnlyCollection<double> alone)
    {
        if (alone.Count == 0)
        {
            return ("", true);
        }

        var (p50, p99) = (At(now, 0.5) / At(alone, 0.5), At(now, 0.99) / At(alone, 0.99));
        return (string.Create(CultureInfo.InvariantCulture, $"{p50:F2}, {p99:F2}"), p99 < 2);
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
