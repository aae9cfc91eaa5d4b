using System.Diagnostics;

namespace Metrics.SideBySide;

/// <summary>Asks each query of a suite once cold, then the whole suite in turn for a while, and then each some times more, one at a time: a server that has been up for a while is what panels meet.</summary>
internal static class QueryPart
{
    /// <summary>The last time asked for: a full minute, so that every server's steps fall on the same times.</summary>
    public static long EndMs(ChurningScrapes data, Settings settings) => data.DueMs(settings.Scrapes - 1) / 60_000 * 60_000;

    public static async Task RunAsync(Server server, ChurningScrapes data, Settings settings, QueryTimes times, AnswerFolder answers)
    {
        var endMs = EndMs(data, settings);
        foreach (var (_, queries) in QueryTimes.Suites)
        {
            var asked = new List<(Query Query, double ColdMs)>();
            foreach (var query in queries)
            {
                try
                {
                    var (cold, answer) = await AskAsync(server, query.Path(endMs));
                    answers.Keep(server.Name, query, answer);
                    asked.Add((query, cold));
                }
                catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
                {
                    times.Add(server.Name, query, new(double.NaN, double.NaN, e.Message));
                }
            }

            await WarmUpAsync(server, [.. asked.Select(q => q.Query.Path(endMs))], TimeSpan.FromSeconds(settings.WarmUpSeconds));
            foreach (var (query, cold) in asked)
            {
                var warm = new double[settings.QueryRuns];
                for (var run = 0; run < warm.Length; run++)
                {
                    (warm[run], _) = await AskAsync(server, query.Path(endMs));
                }

                times.Add(server.Name, query, new(cold, Statistics.Quantile(warm, 0.5), null));
            }
        }
    }

    /// <summary>Asks in turn for so long.</summary>
    public static async Task WarmUpAsync(Server server, IReadOnlyList<string> paths, TimeSpan duration)
    {
        var clock = Stopwatch.StartNew();
        for (var i = 0; paths.Count > 0 && clock.Elapsed < duration; i++)
        {
            await server.GetAsync(paths[i % paths.Count]);
        }
    }

    private static async Task<(double Ms, byte[] Answer)> AskAsync(Server server, string path)
    {
        var clock = Stopwatch.StartNew();
        var answer = await server.GetAsync(path);
        return (clock.Elapsed.TotalMilliseconds, answer);
    }
}
