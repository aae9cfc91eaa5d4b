using System.Collections.Concurrent;
using System.Diagnostics;
using Metrics.SideBySide;

namespace Metrics.TenantBench;

/// <summary>A neighbour that asks the heaviest queries, from many clients and without a pause.</summary>
internal static class HeavyQueries
{
    /// <summary>The neighbour's name. It has no limits of its own: those of the server hold.</summary>
    public const string Tenant = "heavy";

    private const int Clients = 32;

    /// <summary>Asks until the input ends; gives what was answered, in a line.</summary>
    public static async Task<string> RunAsync(Uri server, long endMs, Func<Task> untilStopped)
    {
        using var client = new TenantClient(server, Tenant, Clients);
        using var stop = new CancellationTokenSource();
        var answers = new ConcurrentDictionary<int, int>();
        var clock = Stopwatch.StartNew();
        var clients = Enumerable.Range(0, Clients).Select(number => Task.Run(async () =>
        {
            var random = new Random(number);
            while (!stop.IsCancellationRequested)
            {
                // No two alike, so that none is shared or answered from the cache.
                var query = HeavySuite.Queries[random.Next(HeavySuite.Queries.Count)];
                var (status, _) = await client.GetAsync(query.Path(endMs - random.Next(600_000)));
                answers.AddOrUpdate(status, 1, static (_, n) => n + 1);
            }
        })).ToList();
        await untilStopped();
        var seconds = clock.Elapsed.TotalSeconds;
        var line = string.Join(", ", answers.OrderBy(a => a.Key).Select(a => $"{a.Key}: {a.Value / seconds:F1}/s"));
        await stop.CancelAsync();
        await Task.WhenAll(clients);
        return line;
    }
}
