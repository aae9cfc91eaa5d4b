using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Metrics.EndToEnd.Programs;
using Metrics.Storage;
using Metrics.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Metrics.EndToEnd.Blocks;

/// <summary>A real Prometheus serves our blocks, and we serve a real Prometheus's: both must answer as one.</summary>
[Trait("Category", "Peers")]
public sealed class BlocksWithPrometheusTests(ITestOutputHelper log) : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly HttpClient http = new();

    public void Dispose()
    {
        http.Dispose();
        directory.Dispose();
    }

    [Fact]
    public async Task APrometheusOnOurBlocksAnswersAsWeDoAndPromtoolFindsWhatWasWritten()
    {
        var data = new HistoricData(1_600_000_000_000 - (1_600_000_000_000 % HistoricData.RangeMs), hours: 6);
        var blocks = directory.Sub("blocks");
        Directory.CreateDirectory(Path.Combine(blocks, "wal")); // promtool insists on one
        data.WriteBlocks(blocks);

        await PromtoolAgreesAsync(data, blocks);
        await OwnToolAgreesAsync(data, blocks);
        await RunAsync(0, "tsdb", "import", blocks, "--tenant", "default", "--data-dir", directory.Sub("ours"));
        using var prometheus = await StartPrometheusAsync(blocks);
        using var ours = await MetricsServer.StartAsync(directory.Sub("ours"));
        await CompareAsync(prometheus.Address, ours.Address, data);
    }

    [Fact]
    public async Task ADirectoryOfPrometheusVerifiesImportsAndAnswersTheSame()
    {
        var data = new HistoricData(DateTimeOffset.UtcNow.AddHours(-5).ToUnixTimeMilliseconds() / 60_000 * 60_000, hours: 4);
        using var prometheus = await StartPrometheusAsync(directory.Sub("prometheus"));
        foreach (var body in data.Bodies())
        {
            await WriteAsync(prometheus.Address, body);
        }

        using var answer = await http.PostAsync(new Uri(prometheus.Address, "api/v1/admin/tsdb/snapshot"), null);
        var snapshot = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("data").GetProperty("name").GetString()!;
        var blocks = Path.Combine(directory.Sub("prometheus"), "snapshots", snapshot);
        Directory.CreateDirectory(Path.Combine(blocks, "wal"));

        await OwnToolAgreesAsync(data, blocks);
        await RunAsync(0, "tsdb", "import", blocks, "--tenant", "default", "--data-dir", directory.Sub("ours"), "--storage-shards-per-tenant", "4");
        using (var ours = await MetricsServer.StartAsync(directory.Sub("ours")))
        {
            await CompareAsync(prometheus.Address, ours.Address, data);
        }

        // What we exported from our shards, Prometheus reads again.
        var exported = directory.Sub("exported");
        await RunAsync(0, "tsdb", "export", directory.Sub("ours"), "--format", "prometheus", "--output", exported);
        await PromtoolAgreesAsync(data, exported);
    }

    [Fact]
    public async Task ABlockThatIsDamagedUnderTheServerIsNamedInAWarningAndTheOthersServe()
    {
        var data = new HistoricData(1_600_000_000_000 - (1_600_000_000_000 % HistoricData.RangeMs), hours: 4);
        var blocks = directory.Sub("blocks");
        data.WriteBlocks(blocks);
        var (start, end) = (data.StartMs / 1000.0, data.EndMs / 1000.0);
        await RunAsync(0, "tsdb", "import", blocks, "--tenant", "default", "--data-dir", directory.Sub("ours"), "--storage-shards-per-tenant", "2");
        using var ours = await MetricsServer.StartAsync(directory.Sub("ours"));
        async Task<(double Samples, int Warnings)> AskAsync()
        {
            var answer = await PrometheusApi.QueryAsync(http, ours.Address, "sum(count_over_time(requests_total[5h]))", end);
            return (PrometheusApi.Points(answer)[""][0].Value, answer.TryGetProperty("warnings", out var warnings) ? warnings.GetArrayLength() : 0);
        }

        var all = data.Times.Length * 12.0;
        Assert.Equal((all, 0), await AskAsync());
        while (Directory.EnumerateDirectories(directory.Sub("ours"), "pending", SearchOption.AllDirectories).Any(p => Directory.EnumerateDirectories(p).Any()))
        {
            await Task.Delay(50); // Until they are published, and stay where they are.
        }

        var chunks = Directory.EnumerateFiles(directory.Sub("ours"), "000001", SearchOption.AllDirectories).Order(StringComparer.Ordinal).First();
        using (var file = new FileStream(chunks, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
        {
            // Every chunk of it.
            for (var at = 8 + 20; at < file.Length; at += 40)
            {
                file.Position = at;
                file.WriteByte(0xa5);
            }
        }

        var (left, warned) = await AskAsync();
        Assert.InRange(left, 1, all - 1);
        Assert.Equal(1, warned);
        Assert.Equal((left, 1), await AskAsync());
        Assert.Contains("is damaged and set aside", ours.Program.Output, StringComparison.Ordinal);
        Assert.Contains("/chunks/000001: offset ", ours.Program.Output, StringComparison.Ordinal);

        // What does not touch the block is not warned of.
        var elsewhere = await PrometheusApi.QueryAsync(http, ours.Address, "requests_total", start - 86_400);
        Assert.False(elsewhere.TryGetProperty("warnings", out _));
    }

    private static async Task PromtoolAgreesAsync(HistoricData data, string blocks)
    {
        var (_, listed) = await RunningProgram.RunAsync("promtool", "tsdb", "list", blocks);
        using var set = new BlockSet(blocks, Assert.Fail);
        Assert.NotEmpty(set.Blocks);
        foreach (var block in set.Blocks)
        {
            var row = Assert.Single(listed.Split('\n'), l => l.StartsWith(block.Meta.Ulid.ToString(), StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal([block.Meta.MinTime, block.Meta.MaxTime], [long.Parse(row[1], CultureInfo.InvariantCulture), long.Parse(row[2], CultureInfo.InvariantCulture)]);
            Assert.Equal([block.Meta.Stats.NumSamples, block.Meta.Stats.NumChunks, block.Meta.Stats.NumSeries], row[4..7].Select(n => ulong.Parse(n, CultureInfo.InvariantCulture)));
            var (code, analysis) = await RunningProgram.RunAsync("promtool", "tsdb", "analyze", blocks, block.Meta.Ulid.ToString());
            Assert.True(code == 0, analysis);
            var own = JsonDocument.Parse(await RunAsync(0, "tsdb", "inspect", blocks, "--block", block.Meta.Ulid.ToString(), "--json")).RootElement;
            Assert.Equal(block.Meta.Stats.NumSeries, own.GetProperty("series").GetUInt64());
            Assert.Contains($"Series: {own.GetProperty("series")}\n", analysis, StringComparison.Ordinal);
            Assert.Contains($"Label names: {own.GetProperty("labelNames")}\n", analysis, StringComparison.Ordinal);
            Assert.Contains($"Postings (unique label pairs): {own.GetProperty("labelPairs")}\n", analysis, StringComparison.Ordinal);
            Assert.Contains($"Postings entries (total label pairs): {own.GetProperty("postingsEntries")}\n", analysis, StringComparison.Ordinal);
        }

        // This promtool prints floats only.
        Assert.Equal(data.Lines(histograms: false).Order(StringComparer.Ordinal), DumpLines.Of(await OutputAsync("promtool", "tsdb", "dump", "--match", "{__name__!~'latency|ratio'}", blocks)));
    }

    private static async Task OwnToolAgreesAsync(HistoricData data, string blocks)
    {
        Assert.Contains(" 0 damaged", await RunAsync(0, "tsdb", "verify", blocks), StringComparison.Ordinal);
        Assert.Equal(data.Lines(histograms: true).Order(StringComparer.Ordinal), DumpLines.Of(await RunAsync(0, "tsdb", "dump", blocks)));
    }

    private async Task CompareAsync(Uri theirs, Uri ours, HistoricData data)
    {
        var end = Math.Floor(data.EndMs / 1000.0);
        var start = Math.Ceiling(data.StartMs / 1000.0);
        var differences = new List<string>();
        foreach (var query in HistoricData.Queries)
        {
            foreach (var at in (double[])[start + 1800, (start + end) / 2, end])
            {
                differences.AddRange(Answers.Differences(
                    await PrometheusApi.QueryAsync(http, theirs, query, at), await PrometheusApi.QueryAsync(http, ours, query, at)).Select(d => $"{query} at {at}: {d}"));
            }

            var asked = await PrometheusApi.QueryRangeAsync(http, theirs, query, start, end, 111);
            differences.AddRange(Answers.Differences(asked, await PrometheusApi.QueryRangeAsync(http, ours, query, start, end, 111)).Select(d => $"{query} over all: {d}"));
        }

        differences.Take(50).ToList().ForEach(log.WriteLine);
        Assert.Empty(differences);
    }

    private async Task<RunningPrometheus> StartPrometheusAsync(string data)
    {
        var port = FreePorts.Next();
        var configuration = directory.Sub("prometheus.yml");
        await File.WriteAllTextAsync(configuration, "global: {scrape_interval: 1h}\n");
        var program = RunningProgram.Start(
            "prometheus", $"--config.file={configuration}", $"--storage.tsdb.path={data}", $"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y",
            "--web.enable-remote-write-receiver", "--web.enable-admin-api", "--enable-feature=native-histograms");
        var address = new Uri($"http://127.0.0.1:{port}/");
        await program.WaitReadyAsync(http, new Uri(address, "-/ready"), TimeSpan.FromSeconds(60));
        return new RunningPrometheus(program, address);
    }

    private async Task WriteAsync(Uri prometheus, ReadOnlyMemory<byte> body)
    {
        using var content = new ReadOnlyMemoryContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        content.Headers.ContentEncoding.Add("snappy");
        using var answer = await http.PostAsync(new Uri(prometheus, "api/v1/write"), content);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private static Task<string> RunAsync(int exitCode, params string[] arguments) => OutputAsync("dotnet", [MetricsServer.AssemblyPath, .. arguments], exitCode);

    private static Task<string> OutputAsync(string file, params string[] arguments) => OutputAsync(file, arguments, 0);

    private static async Task<string> OutputAsync(string file, string[] arguments, int exitCode)
    {
        var (code, output) = await RunningProgram.RunAsync(file, arguments);
        Assert.True(code == exitCode, $"{file} {string.Join(' ', arguments)} ended with {code}: {output[..Math.Min(output.Length, 4000)]}");
        return output;
    }

    private sealed record RunningPrometheus(RunningProgram Program, Uri Address) : IDisposable
    {
        public void Dispose() => Program.Dispose();
    }
}
