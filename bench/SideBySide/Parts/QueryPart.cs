using System.Diagnostics;

namespace Metrics.SideBySide;

/// <summary>Asks each query of the suites once cold and some times more, one at a time.</summary>
internal static class QueryPart
{
    /// <summary>The last time asked for: a full minute, so that every server's steps fall on the same times.</summary>
    public static long EndMs(ChurningScrapes data, Settings settings) => data.DueMs(settings.Scrapes - 1) / 60_000 * 60_000;

    public static async Task RunAsync(Server server, ChurningScrapes data, Settings settings, QueryTimes times, AnswerFolder answers)
    {
        foreach (var query in QueryTimes.Suites.SelectMany(s => s.Queries))
        {
            times.Add(server.Name, query, await TimeAsync(server, query, query.Path(EndMs(data, settings)), settings.QueryRuns, answers));
        }
    }

    private static async Task<QueryTime> TimeAsync(Server server, Query query, string path, int runs, AnswerFolder answers)
    {
        try
        {
            var clock = Stopwatch.StartNew();
            var answer = await server.GetAsync(path);
            var cold = clock.Elapsed.TotalMilliseconds;
            answers.Keep(server.Name, query, answer);
            var warm = new double[runs];
            for (var run = 0; run < runs; run++)
            {
                clock.Restart();
                await server.GetAsync(path);
                warm[run] = clock.Elapsed.TotalMilliseconds;
            }

            return new(cold, Statistics.Quantile(warm, 0.5), null);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return new(double.NaN, double.NaN, e.Message);
        }
    }
}
