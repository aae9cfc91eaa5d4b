using System.Net;
using System.Net.Http.Headers;
using Metrics.EndToEnd.Programs;
using Metrics.Model;
using Metrics.Wire;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>Exemplars through HTTP: counted, found by the selectors of a query, and still there after a kill.</summary>
public sealed class ExemplarTests
{
    [Fact]
    public async Task ExemplarsAreKeptInOrderFoundByQueryAndSurviveAKill()
    {
        using var directory = new TemporaryDirectory();
        using var server = await MetricsServer.StartAsync(directory.Sub("data"));
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000 * 1000;
        Assert.Equal("2", await WriteAsync(server, "a", now, (now - 3000, 0.5, "trace-1"), (now - 1000, 1.5, "trace-2")));

        // Known ones count; older ones, and those with labels beyond OpenMetrics' bound, are left out and refuse nothing.
        Assert.Equal("1", await WriteAsync(server, "a", now + 1, (now - 1000, 1.5, "trace-2"), (now - 2000, 9, "late"), (now, 9, new string('x', 200))));
        Assert.Equal("1", await WriteAsync(server, "b", now, (now - 500, 2, "trace-3")));
        for (var life = 0; life < 2; life++)
        {
            var all = await AskAsync(server, "sum(rate(a[5m])) / on () b");
            Assert.Equal(["a: 0.5 trace-1, 1.5 trace-2", "b: 2 trace-3"], all);
            Assert.Equal(["b: 2 trace-3"], await AskAsync(server, "b{job=\"j\"}"));
            Assert.Empty(await AskAsync(server, "b{job=\"k\"}"));
            Assert.Equal(["a: 0.5 trace-1"], await AskAsync(server, "{job=\"j\"}", $"&end={(now - 2000) / 1000}"));
            server.Program.Kill();
            await server.StartAgainAsync();
        }

        foreach (var wrong in new[] { "query=", "query=sum(", "query=a&start=5&end=4" })
        {
            using var answer = await server.Http.GetAsync(new Uri(server.Address, $"api/v1/query_exemplars?{wrong}"));
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        }
    }

    private static async Task<List<string>> AskAsync(MetricsServer server, string query, string more = "")
    {
        var answer = await server.GetAsync($"api/v1/query_exemplars?query={Uri.EscapeDataString(query)}{more}");
        return [.. answer.GetProperty("data").EnumerateArray().Select(s =>
            $"{s.GetProperty("seriesLabels").GetProperty("__name__")}: {string.Join(", ", s.GetProperty("exemplars").EnumerateArray().Select(e => $"{e.GetProperty("value")} {e.GetProperty("labels").GetProperty("trace_id")}"))}")];
    }

    private static async Task<string> WriteAsync(MetricsServer server, string name, long timeMs, params (long TimeMs, double Value, string Trace)[] exemplars)
    {
        using var writer = new WriteRequestWriter();
        writer.BeginSeries();
        writer.AddLabels(Labels.Of(("__name__", name), ("job", "j")));
        writer.AddSample(timeMs, 1);
        foreach (var (at, value, trace) in exemplars)
        {
            writer.AddExemplar(Labels.Of(("trace_id", trace)), at, value);
        }

        writer.EndSeries();
        var body = new byte[SnappyEncoder.MaxEncodedLength(writer.Written.Length)];
        using var content = new ReadOnlyMemoryContent(body.AsMemory(0, SnappyEncoder.Encode(writer.Written, body)));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        using var answer = await server.Http.PostAsync(new Uri(server.Address, "api/v1/write"), content);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        return answer.Headers.GetValues("X-Prometheus-Remote-Write-Exemplars-Written").Single();
    }
}
