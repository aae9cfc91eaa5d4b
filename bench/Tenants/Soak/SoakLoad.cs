using System.Collections.Concurrent;
using System.Diagnostics;

namespace Metrics.TenantBench;

/// <summary>What one tenant of the soak does, all at once, until it is stopped: scrapes, late scrapes, queries, labels, deletions, changes of rules, and now and then a mistake.</summary>
internal sealed class SoakLoad(TenantClient client, int series, int seed, ConcurrentDictionary<string, int> errors)
{
    private static readonly string[] queries =
    [
        "query?query=sum by (app) (rate(requests_0_total[2m]))", "query?query=topk(5, queue_1_length)", "query?query=count({__name__=~\"requests_.*\"})", "query?query=absent(nothing)",
        "query?query=histogram_quantile(0.9, sum by (app) (rate(requests_2_total[1m])))", "query?query=quantile by (app) (0.9, {__name__=~\"queue_.*\"})",
        "query_range?query=sum by (app) (rate(requests_4_total[2m]))&start={start}&end={end}&step=15", "query_range?query=max_over_time(queue_3_length{app=\"app-1\"}[1m])&start={start}&end={end}&step=15",
        "query_range?query=requests_6_total - requests_6_total offset 1m&start={start}&end={end}&step=30", "query_range?query=app:requests:rate1m&start={start}&end={end}&step=15",
    ];

    private static readonly string[] looks =
    [
        "labels?start={start}", "label/pod/values", "label/__name__/values?match[]={app=\"app-1\"}", "series?match[]=queue_1_length&start={start}&end={end}", "metadata", "rules", "alerts", "status/tsdb", "query_exemplars?query=queue_1_length&start={start}&end={end}",
        "cardinality/label_names", "status/active_queries", "user_stats", "user_limits", "status/runtimeinfo",
    ];

    private readonly SoakSeries data = new(series, seed);
    private readonly ConcurrentBag<double> writeMs = [];
    private readonly ConcurrentBag<double> queryMs = [];
    private long requests;

    /// <summary>Requests answered.</summary>
    public long Requests => Interlocked.Read(ref requests);

    /// <summary>Milliseconds of the writes and queries since the last call.</summary>
    public (IReadOnlyCollection<double> Writes, IReadOnlyCollection<double> Queries) TakeTimes()
    {
        var taken = (writeMs.ToArray(), queryMs.ToArray());
        writeMs.Clear();
        queryMs.Clear();
        return taken;
    }

    /// <summary>Works until it is stopped.</summary>
    public Task RunAsync(CancellationToken stop) => Task.WhenAll(
        EveryAsync(5, WriteAsync, stop),
        EveryAsync(17, WriteLateAsync, stop),
        EveryAsync(0.2, i => TimedAsync(queryMs, Path(queries, i)), stop),
        EveryAsync(1, i => AskAsync(Path(looks, i), 200), stop),
        EveryAsync(7, _ => ExpectAsync("federate", () => client.GetAsync("federate?match[]=queue_1_length"), 200), stop),
        EveryAsync(30, DeleteAsync, stop),
        EveryAsync(60, RulesAsync, stop),
        EveryAsync(3, MistakeAsync, stop));

    private static long NowMs => TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    private static string Path(string[] from, int i) => "api/v1/" + Uri.EscapeDataString(from[i % from.Length].Replace("{start}", $"{(NowMs / 1000) - 300}", StringComparison.Ordinal).Replace("{end}", $"{NowMs / 1000}", StringComparison.Ordinal))
        .Replace("%3F", "?", StringComparison.Ordinal).Replace("%3D", "=", StringComparison.Ordinal).Replace("%26", "&", StringComparison.Ordinal).Replace("%2F", "/", StringComparison.Ordinal);

    private async Task EveryAsync(double seconds, Func<int, Task> work, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(seconds), TimeProvider.System);
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            try
            {
                await work(i);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TaskCanceledException)
            {
                Note($"{work.Method.Name}: {e.GetType().Name} {e.Message}");
            }

            try
            {
                await timer.WaitForNextTickAsync(stop);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void Note(string error) => errors.AddOrUpdate($"{client.Tenant}: {error}", 1, static (_, n) => n + 1);

    private async Task ExpectAsync(string what, Func<Task<(int Status, string Text)>> send, params int[] expected)
    {
        var (status, text) = await send();
        Interlocked.Increment(ref requests);
        if (!expected.Contains(status))
        {
            Note($"{what} was answered {status}: {text}");
        }
    }

    private Task AskAsync(string path, int expected) => ExpectAsync(path.Split('?')[0], () => client.GetAsync(path), expected);

    private async Task TimedAsync(ConcurrentBag<double> times, string path)
    {
        var clock = Stopwatch.StartNew();
        await AskAsync(path, 200);
        times.Add(clock.Elapsed.TotalMilliseconds);
    }

    private async Task WriteAsync(int round)
    {
        foreach (var body in data.Bodies(NowMs))
        {
            var clock = Stopwatch.StartNew();
            await ExpectAsync("write", () => client.WriteAsync(body), 204);
            writeMs.Add(clock.Elapsed.TotalMilliseconds);
        }
    }

    /// <summary>A scrape twenty seconds late, at a time between those in order.</summary>
    private async Task WriteLateAsync(int round)
    {
        foreach (var body in data.Bodies(NowMs - 20_000).Take(2))
        {
            await ExpectAsync("late write", () => client.WriteAsync(body), 204);
        }
    }

    private Task DeleteAsync(int round) => ExpectAsync(
        "delete_series",
        () => client.PostAsync($"api/v1/admin/tsdb/delete_series?match[]={Uri.EscapeDataString($"{{pod=\"{SoakSeries.RetiredPod(round % (series / 50), NowMs)}\"}}")}", "text/plain", ""),
        204);

    private Task RulesAsync(int round) => ExpectAsync(
        "rules",
        () => client.PostAsync(
            "config/v1/rules/soak", "application/yaml",
            $$$"""
            name: g{{{round % 3}}}
            interval: 10s
            rules:
            - {record: 'app:requests:rate1m', expr: 'sum by (app) (rate(requests_0_total[1m]))', labels: {group: 'g{{{round % 3}}}'}}
            - {record: 'app:queue:max', expr: 'max by (app) (queue_1_length)', labels: {group: 'g{{{round % 3}}}'}}
            - {alert: Long, expr: 'queue_1_length > 50', for: 20s, labels: {group: 'g{{{round % 3}}}'}}
            """),
        202);

    /// <summary>What is to be refused, and nothing else.</summary>
    private Task MistakeAsync(int round) => (round % 5) switch
    {
        0 => ExpectAsync("bad body", () => client.WriteAsync(new byte[] { 1, 2, 3, (byte)round }), 400),
        1 => ExpectAsync("bad query", () => client.GetAsync("api/v1/query?query=sum("), 400),
        2 => ExpectAsync("bad matcher", () => client.GetAsync("api/v1/series?match[]=("), 400),
        3 => ExpectAsync("no route", () => client.GetAsync("api/v1/nothing"), 404),
        _ => ExpectAsync("old samples", () => client.WriteAsync(data.Bodies(NowMs - 180_000).First()), 400),
    };
}
