using System.Collections.Concurrent;
using System.Diagnostics;

namespace Metrics.SideBySide;

/// <summary>
/// Clients that ask dashboard queries against writes at full speed: what each loses to the other. Clients that pause between queries are people's dashboards; without a pause they and the writes want every core for themselves, and what one
/// gains the other loses. Rounds alternate between writes alone, queries alone for as long, and both, on a server that holds some scrapes already; bodies are made while nothing runs.
/// </summary>
internal static class MixedPart
{
    /// <summary>So many that the p99 is not just one of the few longest.</summary>
    private const int Rounds = 6;

    /// <summary>Samples written in a round, at most: their bodies are in memory.</summary>
    private const int SamplesPerRound = 3_000_000;

    private static readonly TimeSpan[] pauses = [TimeSpan.FromMilliseconds(100), TimeSpan.Zero];

    /// <summary>Scrapes that are written behind the ordinary ones.</summary>
    public static int Scrapes(Settings settings) => 2 * pauses.Length * Rounds * RoundScrapes(settings);

    public static async Task RunAsync(Server server, ChurningScrapes data, Settings settings, Figures figures)
    {
        var endMs = QueryPart.EndMs(data, settings);
        await QueryPart.WarmUpAsync(server, [.. DashboardSuite.Queries.Select(q => q.Path(endMs))], TimeSpan.FromSeconds(settings.WarmUpSeconds));
        var next = settings.Scrapes;
        foreach (var pause in pauses)
        {
            next = await RunAsync(server, data, settings, figures, pause, next);
        }
    }

    private static async Task<int> RunAsync(Server server, ChurningScrapes data, Settings settings, Figures figures, TimeSpan pause, int next)
    {
        var scrapes = RoundScrapes(settings);
        double aloneSeconds = 0, bothSeconds = 0;
        var aloneMs = new ConcurrentBag<double>();
        var bothMs = new ConcurrentBag<double>();
        var endMs = QueryPart.EndMs(data, settings);
        for (var round = 0; round < Rounds; round++)
        {
            var seconds = await WriteAsync(server, Bodies(data, ref next, scrapes), settings);
            aloneSeconds += seconds;
            using (var stop = new CancellationTokenSource(TimeSpan.FromSeconds(Math.Max(1, seconds)), TimeProvider.System))
            {
                await QueryAsync(server, settings, endMs, round, pause, aloneMs, stop.Token);
            }

            var bodies = Bodies(data, ref next, scrapes);
            using (var stop = new CancellationTokenSource())
            {
                var clients = QueryAsync(server, settings, endMs, round, pause, bothMs, stop.Token);
                bothSeconds += await WriteAsync(server, bodies, settings);
                await stop.CancelAsync();
                await clients;
            }
        }

        var samples = (double)Rounds * scrapes * data.Count;
        var mixed = pause == TimeSpan.Zero ? "mixed, no pause" : FormattableString.Invariant($"mixed, {pause.TotalMilliseconds} ms pause");
        figures.Add(server.Name, $"{mixed}: samples/s without queries", samples / aloneSeconds, "N0");
        figures.Add(server.Name, $"{mixed}: samples/s with {settings.Clients} query clients", samples / bothSeconds, "N0");
        figures.Add(server.Name, $"{mixed}: ingest lost, %", 100 * (1 - (aloneSeconds / bothSeconds)), "F1");
        figures.Add(server.Name, $"{mixed}: query p99 without writes, ms", Statistics.Quantile(aloneMs, 0.99), "F1");
        figures.Add(server.Name, $"{mixed}: query p99 with writes, ms", Statistics.Quantile(bothMs, 0.99), "F1");
        figures.Add(server.Name, $"{mixed}: query p99, with / without writes", Statistics.Quantile(bothMs, 0.99) / Statistics.Quantile(aloneMs, 0.99), "F2");
        figures.Add(server.Name, $"{mixed}: queries/s with writes", bothMs.Count / bothSeconds, "N0");
        return next;
    }

    private static int RoundScrapes(Settings settings) => Math.Max(1, Math.Min(settings.Scrapes / 2, SamplesPerRound / settings.Series));

    private static List<List<ReadOnlyMemory<byte>>> Bodies(ChurningScrapes data, ref int next, int scrapes)
    {
        var bodies = new List<List<ReadOnlyMemory<byte>>>();
        for (var i = 0; i < scrapes; i++)
        {
            bodies.Add(data.Bodies(next++));
        }

        return bodies;
    }

    private static async Task<double> WriteAsync(Server server, List<List<ReadOnlyMemory<byte>>> scrapes, Settings settings)
    {
        var clock = Stopwatch.StartNew();
        foreach (var bodies in scrapes)
        {
            await server.WriteAllAsync(bodies, settings.Connections);
        }

        return clock.Elapsed.TotalSeconds;
    }

    private static Task QueryAsync(Server server, Settings settings, long endMs, int round, TimeSpan pause, ConcurrentBag<double> times, CancellationToken stop) =>
        Task.WhenAll(Enumerable.Range(0, settings.Clients).Select(client => Task.Run(async () =>
        {
            var queries = DashboardSuite.Queries;
            var buffer = new byte[64 * 1024];
            await PauseAsync(pause * client / settings.Clients, stop);
            for (var i = (client + round) * 7; !stop.IsCancellationRequested; i++)
            {
                var clock = Stopwatch.StartNew();
                await server.DrainAsync(queries[i % queries.Count].Path(endMs), buffer);
                times.Add(clock.Elapsed.TotalMilliseconds);
                await PauseAsync(pause, stop);
            }
        })));

    private static async Task PauseAsync(TimeSpan pause, CancellationToken stop)
    {
        if (pause > TimeSpan.Zero)
        {
            await Task.Delay(pause, TimeProvider.System, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
