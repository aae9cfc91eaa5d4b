using System.Net;
using Metrics.EndToEnd.Programs;
using Metrics.Model;
using Metrics.ObjectStore.Tests;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>The real program over a real S3 server: nothing but the bucket is needed to get everything back, and a bad bucket stops no write.</summary>
[Trait("Category", CephServer.Category)]
[Collection(CephCollection.Name)]
public sealed class S3Tests(CephServer ceph) : IDisposable
{
    private const int Minutes = 300;
    private readonly TemporaryDirectory directory = new();
    private readonly long start = DateTimeOffset.UtcNow.AddHours(-6).ToUnixTimeMilliseconds() / 60_000 * 60_000;
    private readonly Labels[] series = [.. Enumerable.Range(0, 200).Select(i => RemoteWriteBody.Labels(("__name__", $"m{i % 10}"), ("n", $"{i}")))];

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task AnEmptyMachineServesAllThatTheBucketHolds()
    {
        var config = Config("lost-machine", ceph.Endpoint);
        Dictionary<string, List<(double, double)>> before;
        using (var server = await StartAsync("first", config))
        {
            await WriteAsync(server, 0, Minutes);
            before = await AllAsync(server);
            await DoAsync(server, "ingester/flush?wait=true");
            AssertEqual(before, await AllAsync(server));
            await DoAsync(server, "api/v1/admin/tsdb/delete_series?match[]=m9");
            server.Program.Kill();
        }

        using var other = await StartAsync("second", config);
        AssertEqual(before.Where(s => !IsDeleted(s.Key)).ToDictionary(), await AllAsync(other));
        var names = await other.GetAsync("api/v1/label/n/values?match[]=m3");
        Assert.Equal(20, names.GetProperty("data").GetArrayLength());
        await WriteAsync(other, Minutes, Minutes + 5);
        Assert.Equal((before.Count - 20) * (Minutes + 5), (await AllAsync(other)).Where(s => !IsDeleted(s.Key)).Sum(s => s.Value[0].Item2));
    }

    [Fact]
    public async Task ABucketThatIsAwayStopsNoWriteAndGetsTheBlocksLater()
    {
        await using var proxy = new FaultyProxy(ceph.Port);
        using var server = await StartAsync("faulty", Config("away", proxy.Endpoint));
        await WriteAsync(server, 0, 1);
        proxy.Choose = _ => Fault.Error;
        await WriteAsync(server, 1, Minutes);
        var before = await AllAsync(server);
        Assert.Equal(200 * Minutes, before.Sum(s => s.Value[0].Item2));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await PostAsync(server, "ingester/flush?wait=true"));
        AssertEqual(before, await AllAsync(server));

        // Killed while the blocks wait: they are on disk, and nothing of them is in the bucket.
        server.Program.Kill();
        await server.StartAgainAsync();
        AssertEqual(before, await AllAsync(server));
        proxy.Choose = static _ => Fault.None;
        await DoAsync(server, "ingester/flush?wait=true");
        AssertEqual(before, await AllAsync(server));
        Assert.All(Directory.GetDirectories(Path.Combine(server.DataDirectory, "tenants", "default", "shards")), shard => Assert.Empty(Directory.GetDirectories(Path.Combine(shard, "pending"))));
    }

    private async Task<MetricsServer> StartAsync(string name, string config) => await MetricsServer.StartAsync(directory.Sub(name), "--objstore.config-file", config);

    private string Config(string prefix, string endpoint)
    {
        var path = directory.Sub(prefix + ".yml");
        File.WriteAllText(path, $"""
            type: S3
            config:
              bucket: {ceph.Bucket}
              endpoint: {endpoint}
              access_key: {CephServer.AccessKey}
              secret_key: {CephServer.SecretKey}
              insecure: true
            prefix: {prefix}
            """);
        return path;
    }

    private async Task WriteAsync(MetricsServer server, int from, int to)
    {
        for (var minute = from; minute < to; minute++)
        {
            using var answer = await server.WriteAsync(RemoteWriteBody.OneSampleEach(series, start + (minute * 60_000), minute * 1.5));
            Assert.True(answer.StatusCode == HttpStatusCode.NoContent, await answer.Content.ReadAsStringAsync());
        }
    }

    private async Task<Dictionary<string, List<(double, double)>>> AllAsync(MetricsServer server) =>
        PrometheusApi.Points(await PrometheusApi.QueryAsync(server.Http, server.Address, "count_over_time({n=~\".+\"}[6h])", (start / 1000.0) + (5.9 * 3600)));

    // m9 has the series whose number ends in 9.
    private static bool IsDeleted(string key) => key.EndsWith('9');

    private static void AssertEqual(Dictionary<string, List<(double, double)>> want, Dictionary<string, List<(double, double)>> got)
    {
        Assert.Equal(want.Keys.Order(StringComparer.Ordinal), got.Keys.Order(StringComparer.Ordinal));
        Assert.All(want, s => Assert.Equal(s.Value, got[s.Key]));
    }

    private static async Task DoAsync(MetricsServer server, string path)
    {
        using var answer = await server.Http.PostAsync(new Uri(server.Address, path), null);
        Assert.True(answer.StatusCode == HttpStatusCode.NoContent, $"{path}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
    }

    private static async Task<HttpStatusCode> PostAsync(MetricsServer server, string path)
    {
        using var answer = await server.Http.PostAsync(new Uri(server.Address, path), null);
        return answer.StatusCode;
    }
}
