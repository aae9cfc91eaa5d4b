using System.Text.Json;
using Metrics.Gateway.Cli;
using Metrics.Gateway.Cli.Tsdb;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;
using Xunit;

namespace Metrics.Gateway.Tests;

public sealed class TsdbCommandTests : IDisposable
{
    private readonly string data = Directory.CreateTempSubdirectory("metrics-tsdb-").FullName;

    public void Dispose() => Directory.Delete(data, recursive: true);

    [Fact]
    public async Task ASoundBlockIsVerifiedListedInspectedAndDumped()
    {
        var block = WriteBlock(1);
        Assert.Equal((0, $"{Path.Combine(data, block)}: ok\n1 blocks, 0 damaged\n", ""), await RunAsync("verify", data));
        var (_, list, _) = await RunAsync("list", data);
        Assert.Equal(["BLOCK", "ULID"], list.Split('\n')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2]);
        Assert.Equal([block, "1000", "3001", "2.001s", "5", "2", "2"], list.Split('\n')[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[..7]);
        var (_, json, _) = await RunAsync("list", data, "--json");
        Assert.Equal(block, JsonDocument.Parse(json).RootElement[0].GetProperty("ulid").GetString());
        var (_, inspected, _) = await RunAsync("inspect", data, "--limit", "1", "--json");
        var analysis = JsonDocument.Parse(inspected).RootElement;
        Assert.Equal((2, 2, 3), (analysis.GetProperty("series").GetInt32(), analysis.GetProperty("labelNames").GetInt32(), analysis.GetProperty("labelPairs").GetInt32()));
        Assert.Equal((0, "{__name__=\"a\", n=\"1\"} 1.5 1000\n{__name__=\"a\", n=\"1\"} NaN 2000\n{__name__=\"a\", n=\"1\"} 1e+06 3000\n", ""), await RunAsync("dump", data, "--match", "a{n='1'}"));
        Assert.Equal((0, "{__name__=\"a\", n=\"1\"} NaN 2000\n", ""), await RunAsync("dump", data, "--match", "a{n='1'}", "--min-time", "1500", "--max-time", "2999"));
        Assert.Equal((0, "a{n=\"1\"} 1.5 1\na{n=\"1\"} NaN 2\na{n=\"1\"} 1e+06 3\na{n=\"2\"} 2 1.5\n# EOF\n", ""), await RunAsync("export", data));
    }

    [Fact]
    public async Task TheSameSeriesOfTwoBlocksIsDumpedOnceInOrderOfTime()
    {
        WriteBlock(1);
        WriteBlock(2, shiftMs: 2000);
        var (_, dumped, _) = await RunAsync("dump", data, "--match", "a{n='1'}");
        Assert.Equal(["1000", "2000", "3000", "4000", "5000"], dumped.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ')[^1]));
    }

    [Fact]
    public async Task DamageIsNamedByFileOffsetAndReasonAndEndsWithOne()
    {
        var block = WriteBlock(1);
        var index = Path.Combine(data, block, "index");
        var bytes = File.ReadAllBytes(index);
        bytes[10] ^= 1;
        File.WriteAllBytes(index, bytes);
        var (code, output, _) = await RunAsync("verify", data);
        Assert.Equal(1, code);
        Assert.Contains($"{index}: offset 9: checksum of the symbol table is ", output, StringComparison.Ordinal);
        (code, output, _) = await RunAsync("verify", data, "--json");
        Assert.Equal(1, code);
        Assert.Contains(JsonDocument.Parse(output).RootElement[0].GetProperty("defects").EnumerateArray(), d => d.GetProperty("offset").GetInt32() == 9);
        (code, _, var error) = await RunAsync("dump", data);
        Assert.Equal(1, code);
        Assert.StartsWith($"metrics: {index}: offset 9: ", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "say where the blocks are", "verify")]
    [InlineData(1, "is no directory", "list", "/nowhere/at/all")]
    [InlineData(2, "--match", "dump", "DATA", "--match", "{")]
    [InlineData(2, "--output", "export", "DATA", "--format", "prometheus")]
    [InlineData(2, "xml", "export", "DATA", "--format", "xml")]
    [InlineData(2, "/nowhere.yml", "list", "--objstore.config-file", "/nowhere.yml")]
    [InlineData(1, "there is no block", "inspect", "DATA", "--block", "01ARZ3NDEKTSV4RRFFQ69G5FAV")]
    [InlineData(2, "--tenant", "import", "DATA")]
    [InlineData(2, "--tenant", "import", "DATA", "--tenant", "a/b")]
    public async Task MistakesEndWithTheirCodeAndOneClearLine(int exit, string text, params string[] args)
    {
        WriteBlock(1);
        var (code, output, error) = await RunAsync(Array.ConvertAll(args, a => a == "DATA" ? data : a));
        Assert.Equal((exit, ""), (code, output));
        Assert.Contains(text, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFolderWithoutBlocksIsAnError()
    {
        var (code, _, error) = await RunAsync("verify", data);
        Assert.Equal((1, $"metrics: no block lies in {data}\n"), (code, error));
    }

    [Fact]
    public async Task HistogramsThatOpenMetricsCannotSayAreCountedAndAnError()
    {
        var encoder = new HistogramChunkEncoder(ChunkEncoding.Histogram);
        encoder.Begin(CounterResetHint.Unknown);
        encoder.TryAppend(1000, new FloatHistogram { Count = 1, ZeroCount = 1, Sum = 2 });
        using (var writer = new BlockWriter(data, Ulid.New(TimeProvider.System, new Random(5))))
        {
            writer.BeginSeries(Labels.Of(("__name__", "h")).Encoded);
            writer.AddChunk(ChunkEncoding.Histogram, 1000, 1000, encoder.ToBytes());
            writer.Finish();
        }

        Assert.Equal((1, "# EOF\n", "metrics: 1 native histograms have no form in OpenMetrics and were left out; --format prometheus keeps them\n"), await RunAsync("export", data));
        Assert.Equal((0, "{__name__=\"h\"} {count:1, sum:2, [-0,0]:1} 1000\n", ""), await RunAsync("dump", data));
    }

    [Fact]
    public async Task AnExtractIsASoundBlockWithTheSamplesAskedFor()
    {
        WriteBlock(1);
        var to = Path.Combine(data, "out");
        var (code, _, error) = await RunAsync("export", data, "--format", "prometheus", "-o", to, "--match", "{n='1'}", "--max-time", "2000");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal((0, "{__name__=\"a\", n=\"1\"} 1.5 1000\n{__name__=\"a\", n=\"1\"} NaN 2000\n", ""), await RunAsync("dump", to));
        (code, _, _) = await RunAsync("verify", to);
        Assert.Equal(0, code);
        (code, _, error) = await RunAsync("export", data, "--format", "prometheus", "-o", to);
        Assert.Equal((1, $"metrics: {to} is not empty\n"), (code, error));
    }

    [Fact]
    public async Task BlocksAreConvertedToDenseAndBack()
    {
        WriteBlock(1);
        WriteBlock(2, shiftMs: 5000);
        var (dense, xor) = (Path.Combine(data, "dense"), Path.Combine(data, "xor"));
        var (_, want, _) = await RunAsync("dump", data);
        var (code, output, error) = await RunAsync("convert", "--encoding", "dense", "-o", dense, data);
        Assert.Equal((0, "", 2), (code, error, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length));
        Assert.Equal(0, (await RunAsync(["convert", "--encoding", "xor", "-o", xor, .. Directory.GetDirectories(dense)])).Code);
        foreach (var (folder, name) in new[] { (dense, "dense float"), (xor, "float") })
        {
            Assert.Equal((0, want, ""), await RunAsync("dump", folder));
            Assert.Equal(0, (await RunAsync("verify", folder)).Code);
            var (_, inspected, _) = await RunAsync("inspect", folder, "--json");
            Assert.Equal(name, JsonDocument.Parse(inspected).RootElement.GetProperty("chunks")[0].GetProperty("encoding").GetString());
            Assert.Contains($"Samples per {name} chunk", (await RunAsync("inspect", folder)).Output, StringComparison.Ordinal);
        }

        (code, _, error) = await RunAsync("convert", "--encoding", "xor", "-o", xor, dense);
        Assert.Equal(1, code);
        Assert.Contains("exists already", error, StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync("convert", "--encoding", "gorilla", "-o", xor, dense)).Code);
        Assert.Equal(1, (await RunAsync("convert", "--encoding", "xor", "-o", xor, "/nowhere/at/all")).Code);
    }

    [Fact]
    public async Task BlocksOfABucketAreFetchedOneAtATimeAndLeaveNothing()
    {
        var block = WriteBlock(1);
        var store = new MemoryObjectStore(TimeProvider.System);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(data, block), "*", SearchOption.AllDirectories))
        {
            await store.UploadAsync($"tenant/{block}/{Path.GetRelativePath(Path.Combine(data, block), file)}", file, default);
        }

        await store.PutAsync($"tenant/{block}/deletion-mark.json", "{}"u8.ToArray(), PutCondition.None, default);
        await store.PutAsync("tenant/shards.json", "{}"u8.ToArray(), PutCondition.None, default);
        var scratch = Path.Combine(data, "scratch");
        await using (var place = await BlockPlace.RemoteAsync(store, "tenant", scratch, default))
        {
            var found = Assert.Single(place.Blocks);
            Assert.Equal($"tenant/{block}", found.Name);
            Assert.True(found.IsMarkedForDeletion);
            Assert.Equal(block, (await found.ReadMetaAsync(default)).Ulid.ToString());
            Assert.Empty(BlockVerifier.Verify(await found.FetchAsync(default)));
            found.Release();
            Assert.Empty(Directory.EnumerateFileSystemEntries(Assert.Single(Directory.EnumerateDirectories(scratch))));
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(scratch));
    }

    [Fact]
    public async Task ABlockThatIsBeingUploadedIsReadFromWhereItIsWhole()
    {
        var block = WriteBlock(1);
        Directory.CreateDirectory(Path.Combine(data, "bucket", block)); // Begun, meta.json not there yet.
        var copy = Directory.CreateDirectory(Path.Combine(data, "pending")).FullName;
        var (_, want, _) = await RunAsync("dump", Path.Combine(data, block));
        Assert.Equal((0, want, ""), await RunAsync("dump", data));
        Directory.Move(Path.Combine(data, block), Path.Combine(copy, block));
        Assert.Equal((0, want, ""), await RunAsync("dump", data));
        var unfinished = Directory.CreateDirectory(Path.Combine(data, "01ARZ3NDEKTSV4RRFFQ69G5FAV")).FullName;
        Assert.Equal((0, want, $"metrics: {unfinished} has no meta.json, so it is no whole block, and was left out\n"), await RunAsync("dump", data));
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(["tsdb", .. args], LocalCluster.OpenAsync, output, error, default);
        return (code, output.ToString(), error.ToString());
    }

    private string WriteBlock(int seed, long shiftMs = 0)
    {
        var ulid = Ulid.New(TimeProvider.System, new Random(seed));
        using var writer = new BlockWriter(data, ulid);
        writer.BeginSeries(Labels.Of(("__name__", "a"), ("n", "1")).Encoded);
        Add(writer, [1000 + shiftMs, 2000 + shiftMs, 3000 + shiftMs], [1.5, double.NaN, 1e6]);
        writer.BeginSeries(Labels.Of(("__name__", "a"), ("n", "2")).Encoded);
        Add(writer, [1500 + shiftMs, 1750 + shiftMs], [2, StaleMarker.Value]);
        writer.Finish();
        return ulid.ToString();
    }

    private static void Add(BlockWriter writer, long[] times, double[] values)
    {
        var bytes = new byte[XorChunk.MaxBytes(times.Length)];
        writer.AddChunk(ChunkEncoding.Xor, times[0], times[^1], bytes.AsSpan(0, XorChunk.Encode(times, values, bytes)));
    }
}
