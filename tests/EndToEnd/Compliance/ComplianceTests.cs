using System.Net;
using Metrics.EndToEnd.Programs;
using Metrics.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.EndToEnd.Compliance;

/// <summary>PromQL's compliance queries, answered by a real Prometheus and by us over the same data, written to both by remote write.</summary>
[Trait("Category", "Peers")]
public sealed class ComplianceTests(ITestOutputHelper log)
{
    /// <summary>Queries that Prometheus 3 answers otherwise than 2.42 on purpose; docs/promql.md gives the reasons.</summary>
    private static readonly Dictionary<string, string> ChangedOnPurpose = new(StringComparer.Ordinal)
    {
        ["label_replace(demo_num_cpus, \"~invalid\", \"\", \"src\", \"(.*)\")"] = "any UTF-8 text is a label name in Prometheus 3",
    };

    [Fact]
    public async Task EveryQueryIsAnsweredAsPrometheusAnswersIt()
    {
        var queries = Queries();
        if (queries.Count == 0)
        {
            log.WriteLine("LEFT OUT: ../shared/promql-compliance/queries.txt is not here.");
            return;
        }

        using var directory = new TemporaryDirectory();
        using var ours = await MetricsServer.StartAsync(directory.Sub("ours"));
        var port = FreePorts.Next();
        var prometheus = new Uri($"http://127.0.0.1:{port}/");
        var configuration = directory.Sub("prometheus.yml");
        await File.WriteAllTextAsync(configuration, "global: {scrape_interval: 1h}\n");
        using var program = RunningProgram.Start(
            "prometheus", $"--config.file={configuration}", $"--storage.tsdb.path={directory.Sub("prometheus")}", $"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver", "--enable-feature=promql-at-modifier,promql-negative-offset");
        await program.WaitReadyAsync(ours.Http, new Uri(prometheus, "-/ready"), TimeSpan.FromSeconds(30));

        var startMs = DateTimeOffset.UtcNow.AddHours(-2.1).ToUnixTimeSeconds() / 60 * 60_000;
        var data = new DemoData(seed: 1, startMs);
        foreach (var (time, samples) in data.Scrapes())
        {
            var body = RemoteWriteBody.Of(samples.Select(s => (RemoteWriteBody.Labels(s.Labels), time, s.Value)));
            await AcceptAsync(ours.WriteAsync(body));
            await AcceptAsync(WriteAsync(ours.Http, prometheus, body));
        }

        // Five seconds off the steps of the subqueries: Prometheus 3 leaves the point at the very start of a window out, 2.42 has it in (docs/promql.md).
        var end = (startMs / 1000) + (DemoData.Steps * DemoData.StepMs / 1000) + 5;
        var differences = new List<string>();
        foreach (var (query, shouldFail) in queries)
        {
            if (ChangedOnPurpose.TryGetValue(query, out var reason))
            {
                log.WriteLine($"changed on purpose: {query}: {reason}");
                continue;
            }

            differences.AddRange(await CompareAsync(query, shouldFail, u => PrometheusApi.QueryRangeAsync(ours.Http, u, query, end - 3600, end, 10)));
            differences.AddRange(await CompareAsync(query, shouldFail, u => PrometheusApi.QueryAsync(ours.Http, u, query, end)));
        }

        differences.ForEach(log.WriteLine);
        log.WriteLine($"{queries.Count} queries, {differences.Count} differences");
        Assert.Empty(differences);

        async Task<IEnumerable<string>> CompareAsync(string query, bool shouldFail, Func<Uri, Task<System.Text.Json.JsonElement>> ask)
        {
            if (shouldFail)
            {
                await Assert.ThrowsAsync<HttpRequestException>(() => ask(ours.Address));
                return [];
            }

            try
            {
                return Comparison.Differences(PrometheusApi.Points(await ask(prometheus)), PrometheusApi.Points(await ask(ours.Address))).Select(d => $"{query}: {d}");
            }
            catch (HttpRequestException e)
            {
                return [$"{query}: {e.Message}"];
            }
        }
    }

    private static async Task AcceptAsync(Task<HttpResponseMessage> write)
    {
        using var answer = await write;
        Assert.True(answer.StatusCode == HttpStatusCode.NoContent, $"{(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
    }

    private static Task<HttpResponseMessage> WriteAsync(HttpClient http, Uri server, ReadOnlyMemory<byte> body)
    {
        var content = new ReadOnlyMemoryContent(body);
        content.Headers.ContentType = new("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        return http.PostAsync(new Uri(server, "api/v1/write"), content);
    }

    private static List<(string Query, bool ShouldFail)> Queries()
    {
        var path = SharedFolder.Find("promql-compliance/queries.txt");
        return path is null
            ? []
            : [.. File.ReadLines(path).Where(l => l.Length > 0 && !l.StartsWith('#')).Select(l => l.Split('\t', 2)).Select(p => (p[1], p[0].Contains("should_fail", StringComparison.Ordinal)))];
    }
}
