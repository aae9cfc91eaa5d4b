using System.Collections.Concurrent;
using System.Globalization;
using Metrics.SideBySide;

namespace Metrics.TenantBench;

/// <summary>Hours of everything at once on short blocks and short retention, so that a quarter of an hour holds what is a week otherwise; then nothing may grow any more.</summary>
internal static class SoakRun
{
    /// <summary>Until what is kept for ten minutes goes as fast as it comes.</summary>
    private const int SettledAfterMinutes = 15;

    private static readonly string[] options =
    [
        "--storage-block-range", "2m", "--storage-out-of-order-window", "1m", "--storage-retention", "10m", "--archive-compaction-ranges", "4m,8m", "--archive-work-every", "5s", "--archive-delete-delay", "30s",
        "--http-admin-api", "true",
    ];

    /// <summary>Runs for so many minutes; 0 when there was no error but the injected ones and nothing grew.</summary>
    public static async Task<int> RunAsync(string root, int minutes, int series)
    {
        using var server = await Server.StartAsync("metrics", root, rules: null, options);
        using var stop = new CancellationTokenSource();
        var errors = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        var clients = Enumerable.Range(1, 4).Select(n => new TenantClient(server.Address, $"soak-{n}", connections: 8, mayCache: true)).ToList();
        var loads = clients.Select((c, i) => new SoakLoad(c, series, i, errors)).ToList();
        var working = Task.WhenAll(loads.Select(l => Task.Run(() => l.RunAsync(stop.Token))));
        var trends = new[] { new Trend("RSS, MiB", 0.10, 48), new Trend("GC heap, MiB", 0.20, 32), new Trend("open files", 0.15, 40), new Trend("threads", 0.25, 16) };
        Console.WriteLine("| minute | requests | writes p50, p99, ms | queries p50, p99, ms | RSS, MiB | GC heap, MiB | open files | threads | disk, MiB | errors |\n|---|---|---|---|---|---|---|---|---|---|");
        var shown = new HashSet<string>(StringComparer.Ordinal);
        for (var minute = 1; minute <= minutes && !working.IsCompleted; minute++)
        {
            var samples = await SampleAsync(server, clients[0], TimeSpan.FromMinutes(1));
            for (var i = 0; i < trends.Length; i++)
            {
                trends[i].Add(samples[i], isSettled: minute > SettledAfterMinutes);
            }

            var times = loads.Select(l => l.TakeTimes()).ToList();
            var writes = times.SelectMany(t => t.Writes).ToList();
            var queries = times.SelectMany(t => t.Queries).ToList();
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {minute} | {loads.Sum(l => l.Requests):N0} | {At(writes, 0.5)}, {At(writes, 0.99)} | {At(queries, 0.5)}, {At(queries, 0.99)} | {samples[0]:F0} | {samples[1]:F0} | {samples[2]:F0} | {samples[3]:F0} | {ProcessMeter.DiskBytes(server.Directory) >> 20} | {errors.Values.Sum()} |"));
            foreach (var (error, count) in errors.Where(e => shown.Add(e.Key)))
            {
                Console.WriteLine($"unexpected: {error} ({count} so far)");
            }
        }

        await stop.CancelAsync();
        await working;
        foreach (var client in clients)
        {
            client.Dispose();
        }

        foreach (var (error, count) in errors)
        {
            Console.WriteLine($"unexpected, {count} times: {error}");
        }

        var grown = trends.Where(t => t.IsGrowing).ToList();
        foreach (var trend in trends)
        {
            Console.WriteLine(trend.ToString());
        }

        return errors.IsEmpty && grown.Count == 0 ? 0 : 1;
    }

    private static string At(List<double> times, double rank) => Statistics.Quantile(times, rank).ToString("F1", CultureInfo.InvariantCulture);

    /// <summary>Medians of what is looked at every five seconds for a while.</summary>
    private static async Task<double[]> SampleAsync(Server server, TenantClient client, TimeSpan length)
    {
        var samples = new List<double>[] { [], [], [], [] };
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(5), TimeProvider.System);
        for (var waited = TimeSpan.Zero; waited < length; waited += timer.Period)
        {
            await timer.WaitForNextTickAsync();
            samples[0].Add(ProcessMeter.ResidentMib(server.ProcessId));
            samples[1].Add(await HeapMibAsync(client));
            samples[2].Add(Directory.GetFileSystemEntries($"/proc/{server.ProcessId}/fd").Length);
            samples[3].Add(Directory.GetDirectories($"/proc/{server.ProcessId}/task").Length);
        }

        return [.. samples.Select(s => Statistics.Quantile(s, 0.5))];
    }

    private static async Task<double> HeapMibAsync(TenantClient client)
    {
        foreach (var line in (await client.TextAsync("metrics")).Split('\n'))
        {
            if (line.StartsWith("dotnet_gc_heap_bytes ", StringComparison.Ordinal))
            {
                return double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture) / (1 << 20);
            }
        }

        throw new InvalidDataException("dotnet_gc_heap_bytes is not among the metrics");
    }
}
