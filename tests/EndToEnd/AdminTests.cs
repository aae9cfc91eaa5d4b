using System.Net;
using System.Text.Json;
using Metrics.EndToEnd.Programs;
using Metrics.Model;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>Deletion, snapshots and flushing through HTTP, over the real program, with restarts in between.</summary>
public sealed class AdminTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly long start = DateTimeOffset.UtcNow.AddHours(-5).ToUnixTimeMilliseconds() / 60_000 * 60_000;
    private MetricsServer server = null!;

    private double End => (start / 1000.0) + (4.5 * 3600);

    public async Task InitializeAsync()
    {
        server = await MetricsServer.StartAsync(directory.Sub("data"));
        Labels[] series = [.. Enumerable.Range(0, 40).Select(i => RemoteWriteBody.Labels(("__name__", i % 2 == 0 ? "even" : "odd"), ("n", $"{i}")))];
        for (var minute = 0; minute < 270; minute++)
        {
            using var answer = await server.WriteAsync(RemoteWriteBody.OneSampleEach(series, start + (minute * 60_000), minute));
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }
    }

    public Task DisposeAsync() => Task.CompletedTask;

    public void Dispose()
    {
        server.Dispose();
        directory.Dispose();
    }

    [Fact]
    public async Task ADeletionHoldsAtOnceAfterARestartAndAfterCleaningAndTouchesNothingElse()
    {
        var cut = (start / 1000) + 3600;
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync($"api/v1/admin/tsdb/delete_series?match[]=even{{n=~\"[0-9]\"}}&end={cut}"));
        await CheckAsync();
        server.Program.Kill();
        await server.StartAgainAsync();
        await CheckAsync();
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync("api/v1/admin/tsdb/clean_tombstones"));
        await CheckAsync();
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync("api/v1/admin/tsdb/delete_series"));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync("api/v1/admin/tsdb/delete_series?match[]={"));

        async Task CheckAsync()
        {
            // Minutes 0 to 60 of the five series even{n="0"} to even{n="8"} are gone.
            Assert.Equal((20 * 270) - (5 * 61), await ValueAsync("sum(count_over_time(even[5h]))"));
            Assert.Equal(20 * 270, await ValueAsync("sum(count_over_time(odd[5h]))"));
            Assert.Equal(5 * 209, await ValueAsync("sum(count_over_time(even{n=~\"[0-9]\"}[5h]))"));
        }
    }

    [Fact]
    public async Task AFlushMakesBlocksOfTheHeadAndWritesGoOn()
    {
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync("ingester/flush?tenant=default&wait=true"));
        var manifests = Directory.GetFiles(Path.Combine(server.DataDirectory, "bucket", "default", "shards"), "manifest.json", SearchOption.AllDirectories);
        var blocks = manifests.SelectMany(m => JsonDocument.Parse(File.ReadAllText(m)).RootElement.GetProperty("blocks").EnumerateArray()).Select(b => b.GetProperty("meta")).ToList();
        Assert.Equal(40 * 270, blocks.Sum(b => b.GetProperty("stats").GetProperty("numSamples").GetInt64()));
        Assert.All(blocks, b => Assert.True(File.Exists(Path.Combine(server.DataDirectory, "bucket", "default", b.GetProperty("ulid").GetString()!, "meta.json"))));
        Assert.Equal(40 * 270, await ValueAsync("sum(count_over_time({n=~\".+\"}[5h]))"));

        // The same again is known, and what is new is taken.
        Labels[] series = [RemoteWriteBody.Labels(("__name__", "even"), ("n", "0"))];
        foreach (var minute in new[] { 269, 270 })
        {
            using var answer = await server.WriteAsync(RemoteWriteBody.OneSampleEach(series, start + (minute * 60_000), minute));
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        Assert.Equal(271, await ValueAsync("sum(count_over_time(even{n=\"0\"}[5h]))"));
        Assert.Equal(HttpStatusCode.NotFound, await PostAsync("ingester/flush?tenant=nobody&wait=true"));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync("ingester/flush?tenant=a/b&wait=true"));
    }

    [Fact]
    [Trait("Category", "Peers")]
    public async Task ASnapshotIsADirectoryOfBlocksThatPromtoolReadsOnceConverted()
    {
        using var answer = await server.Http.PostAsync(new Uri(server.Address, "api/v1/admin/tsdb/snapshot"), null);
        var name = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("data").GetProperty("name").GetString()!;
        var snapshot = Path.Combine(server.DataDirectory, "tenants", "default", "snapshots", name);

        // promtool 2.42 dumps nothing without a log beside the blocks.
        var plain = directory.Sub("plain");
        Directory.CreateDirectory(Path.Combine(plain, "wal"));
        var (code, output) = await RunningProgram.RunAsync("dotnet", MetricsServer.AssemblyPath, "tsdb", "convert", "--encoding", "xor", "--output", plain, snapshot);
        Assert.True(code == 0, output);
        Assert.Equal(40 * 270, Promtool.Run("tsdb", "dump", plain).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Equal(40 * 270, await ValueAsync("sum(count_over_time({n=~\".+\"}[5h]))"));
    }

    private async Task<HttpStatusCode> PostAsync(string path)
    {
        using var answer = await server.Http.PostAsync(new Uri(server.Address, path), null);
        return answer.StatusCode;
    }

    private async Task<double> ValueAsync(string query)
    {
        var points = PrometheusApi.Points(await PrometheusApi.QueryAsync(server.Http, server.Address, query, End));
        return points.TryGetValue("", out var found) ? found[0].Value : 0;
    }
}
