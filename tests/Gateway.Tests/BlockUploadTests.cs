using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Metrics.Gateway.Cli.Tsdb;
using Metrics.Model;
using Metrics.Storage;
using Xunit;

namespace Metrics.Gateway.Tests;

/// <summary>Blocks of other programs come into a tenant of a running server through Mimir's API.</summary>
public sealed class BlockUploadTests : IDisposable
{
    private static readonly (string, string) a = ("X-Scope-OrgID", "a");

    private readonly string folder = Directory.CreateTempSubdirectory("upload").FullName;
    private int blocks;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task ABlockIsServedOnceItIsCompleteAndByNobodyElse()
    {
        await using var app = await RealGateway.StartAsync();
        await app.WriteAsync("a", "__name__=fresh");
        var block = Write(50, new ThanosMeta { Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["region"] = "eu", ["__org_id__"] = "7" } });
        Assert.True(await UploadAsync(app, "a", block));
        var found = JsonDocument.Parse((await app.GetAsync("/api/v1/query?query=count(s{region='eu'})&time=2", a)).Body).RootElement.GetProperty("data").GetProperty("result");
        Assert.Equal("50", found[0].GetProperty("value")[1].GetString());
        Assert.DoesNotContain("__org_id__", (await app.GetAsync("/api/v1/labels", a)).Body);
        Assert.Contains("\"result\":[]", (await app.GetAsync("/api/v1/query?query=s&time=2", ("X-Scope-OrgID", "b"))).Body);
        Assert.Contains("fresh", (await app.GetAsync("/api/v1/query?query=fresh", a)).Body);

        // Once more it is there already; each shard has its part, and nothing waits or is left over.
        Assert.False(await UploadAsync(app, "a", block));
        var shards = app.Cluster.Tenants.Single(t => t.Id.Value == "a").Shards;
        Assert.All(shards, s => Assert.Equal((1, 0), (s.Statistics.Blocks, s.Statistics.PendingBlocks)));
        var left = Directory.EnumerateFiles(Path.Combine(app.Folder, "data"), "*", SearchOption.AllDirectories).ToList();
        Assert.DoesNotContain(left, f => f.Contains("/imports/", StringComparison.Ordinal) && !f.EndsWith("outcome.json", StringComparison.Ordinal));
        Assert.DoesNotContain(left, f => f.Contains("/uploads/", StringComparison.Ordinal));
        Assert.Contains("metrics_block_uploads_total{tenant=\"a\",result=\"complete\"} 1", (await app.GetAsync("/metrics")).Body);
    }

    [Fact]
    public async Task WhatACacheHeldOfTheTimeIsAskedAnew()
    {
        await using var app = await RealGateway.StartAsync();
        var hour = 3_600_000;
        await app.WriteAsync([a], TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(), "__name__=s,i=now");
        async Task<string> AskAsync() => (await app.GetAsync($"/api/v1/query_range?query=count(s)&start=0&end={10 * 3600}&step=60", a)).Body;
        Assert.Contains("\"result\":[]", await AskAsync());
        Assert.True(await UploadAsync(app, "a", Write(3, null, firstMs: hour)));
        Assert.Contains("[3600,\"3\"]", await AskAsync());
    }

    [Fact]
    public async Task ADamagedBlockFailsSaysWhyAndLeavesNothing()
    {
        await using var app = await RealGateway.StartAsync();
        var block = Write(20, null);
        var chunks = Path.Combine(block, "chunks", "000001");
        var sound = File.ReadAllBytes(chunks);
        var bad = sound.ToArray();
        bad[20] ^= 4;
        File.WriteAllBytes(chunks, bad);
        var error = await Assert.ThrowsAsync<IOException>(() => UploadAsync(app, "a", block));
        Assert.Matches("refuses the block: .*chunks/000001: offset [0-9]+: ", error.Message);
        Assert.DoesNotContain(app.Folder, error.Message);
        Assert.Contains("\"result\":[]", (await app.GetAsync("/api/v1/query?query=s&time=2", a)).Body);
        var name = Path.GetFileName(block);
        Assert.Contains("{\"result\":\"failed\",\"error\":\"", (await app.GetAsync($"/api/v1/upload/block/{name}/check", a)).Body);
        Assert.Equal(400, (await app.SendAsync(HttpMethod.Post, $"/api/v1/upload/block/{name}/finish", null, a)).Code);

        // The same block, whole, may be begun anew.
        File.WriteAllBytes(chunks, sound);
        Assert.True(await UploadAsync(app, "a", block));
        Assert.Contains("\"20\"", (await app.GetAsync("/api/v1/query?query=count(s)&time=2", a)).Body);
    }

    [Fact]
    public async Task EachStepHasItsPlace()
    {
        await using var app = await RealGateway.StartAsync();
        var block = Write(5, null);
        var at = "/api/v1/upload/block/" + Path.GetFileName(block);
        async Task<(int, string)> Post(string path, byte[]? body = null)
        {
            var answer = await app.SendAsync(HttpMethod.Post, path, body is null ? null : new ByteArrayContent(body), a);
            return (answer.Code, answer.Body.Trim());
        }

        Assert.Equal(404, (await app.GetAsync(at + "/check", a)).Code);
        Assert.Equal((404, "block upload not started"), await Post(at + "/finish"));
        Assert.Equal((404, "block upload not started"), await Post(at + "/files?path=index", [1]));
        Assert.Equal((400, "invalid block ID"), await Post("/api/v1/upload/block/none/start"));
        Assert.Equal(404, (await Post(at)).Item1);
        Assert.Equal(404, (await Post(at + "/check")).Item1);
        Assert.Equal(404, (await app.GetAsync(at + "/start", a)).Code);
        Assert.StartsWith("malformed request body: ", (await Post(at + "/start", "{"u8.ToArray())).Item2);
        Assert.Equal(413, (await Post(at + "/start", new byte[(1 << 20) + 1])).Item1);
        foreach (var (files, message) in new[]
        {
            ("[]", "must have index"),
            ("[{\"rel_path\":\"index\"}]", "of unknown bytes is no file of a block"),
            ("[{\"rel_path\":\"index\",\"size_bytes\":1},{\"rel_path\":\"../x\",\"size_bytes\":1}]", "\"../x\" of 1 bytes is no file of a block"),
            ("[{\"rel_path\":\"index\",\"size_bytes\":1},{\"rel_path\":\"index\",\"size_bytes\":1}]", "each file once"),
        })
        {
            Assert.Contains(message, (await Post(at + "/start", Meta(block, files))).Item2);
        }

        var chunk = File.ReadAllBytes(Path.Combine(block, "chunks", "000001"));
        var index = File.ReadAllBytes(Path.Combine(block, "index"));
        Assert.Equal((200, ""), await Post(at + "/start", Meta(block, $$"""[{"rel_path":"index","size_bytes":{{index.Length}}},{"rel_path":"chunks/000001","size_bytes":{{chunk.Length}}},{"rel_path":"meta.json"}]""")));
        Assert.Equal("{\"result\":\"uploading\"}", (await app.GetAsync(at + "/check", a)).Body);
        Assert.Equal((400, "missing or invalid file path"), await Post(at + "/files", [1]));
        Assert.Equal((400, "unexpected file"), await Post(at + "/files?path=chunks%2F000002", [1]));
        Assert.Equal((400, "unexpected file"), await Post(at + "/files?path=..%2Fmeta.json", [1]));
        Assert.Equal(400, (await Post(at + "/files?path=meta.json", [1])).Item1);
        Assert.Equal((400, "file size doesn't match meta.json"), await Post(at + "/files?path=index", [1]));
        Assert.Equal((200, ""), await Post(at + "/files?path=index", index));
        Assert.Equal((400, "missing or short: chunks/000001"), await Post(at + "/finish"));
        Assert.Equal((200, ""), await Post(at + "/files?path=chunks%2F000001", chunk));

        // Another tenant sees none of it.
        Assert.Equal(404, (await app.GetAsync(at + "/check", ("X-Scope-OrgID", "b"))).Code);
        Assert.Equal((200, ""), await Post(at + "/finish"));
        string state;
        while ((state = (await app.GetAsync(at + "/check", a)).Body) == "{\"result\":\"validating\"}")
        {
            await Task.Yield();
        }

        Assert.Equal("{\"result\":\"complete\"}", state);
        Assert.Equal((409, "block already exists"), await Post(at + "/start", Meta(block, "[]")));
        Assert.Equal((409, "block already exists"), await Post(at + "/finish"));
    }

    [Fact]
    public async Task WhoWritesMayUploadWhereItIsSwitchedOnAndNoMoreThanIsAllowed()
    {
        await using var app = await AuthenticationTests.StartAsync((o, f) =>
        {
            o.Tenancy.OverridesFile = Path.Combine(f, "overrides.yml");
            File.WriteAllText(o.Tenancy.OverridesFile, "overrides:\n");
        });
        var overrides = Path.Combine(app.Folder, "overrides.yml");
        var block = Write(5, null);
        var at = $"/api/v1/upload/block/{Path.GetFileName(block)}/start";
        async Task<int> Ask(string who, string tenant = "a") =>
            (await app.SendAsync(HttpMethod.Post, at, new ByteArrayContent(Meta(block, "[{\"rel_path\":\"index\",\"size_bytes\":1000}]")), ("Authorization", "Bearer token-of-" + who), ("X-Scope-OrgID", tenant))).Code;

        Assert.Equal(400, await Ask("writer"));
        Assert.Equal(403, await Ask("reader"));
        Assert.Equal(403, await Ask("writer", "b"));
        File.WriteAllText(overrides, "overrides:\n  a: {compactor_block_upload_enabled: true, compactor_block_upload_max_block_size_bytes: 999B}\n");
        await app.ReloadAsync();
        Assert.Equal(413, await Ask("writer"));
        File.WriteAllText(overrides, "overrides:\n  a: {compactor_block_upload_enabled: true}\n");
        await app.ReloadAsync();
        Assert.Equal(200, await Ask("writer"));
        Assert.Equal(403, await Ask("reader"));
        Assert.Equal(403, await Ask("writer", "b"));
    }

    /// <summary>The block's description as another program would write it.</summary>
    private static byte[] Meta(string block, string files)
    {
        var meta = JsonNode.Parse(File.ReadAllText(Path.Combine(block, "meta.json")))!.AsObject();
        meta.Remove("metrics");
        meta["thanos"] = new JsonObject { ["labels"] = new JsonObject(), ["downsample"] = new JsonObject { ["resolution"] = 0 }, ["files"] = JsonNode.Parse(files) };
        return Encoding.UTF8.GetBytes(meta.ToJsonString());
    }

    private static async Task<bool> UploadAsync(RealGateway app, string tenant, string block)
    {
        using var http = new HttpClient { BaseAddress = app.Address };
        return await new BlockUploadClient(http, tenant, TimeProvider.System).UploadAsync(block, keepLabels: true, CancellationToken.None);
    }

    /// <summary>A block of series <c>s{i="..."}</c> with samples at a time and a second later.</summary>
    private string Write(int series, ThanosMeta? thanos, long firstMs = 1000)
    {
        using var writer = new BlockWriter(folder, Ulid.New(TimeProvider.System, new Random(++blocks)), new BlockDescription { Thanos = thanos });
        var bytes = new byte[XorChunk.MaxBytes(2)];
        foreach (var labels in Enumerable.Range(0, series).Select(i => Labels.Of(("__name__", "s"), ("i", i.ToString()))).Order())
        {
            writer.BeginSeries(labels.Encoded);
            writer.AddChunk(ChunkEncoding.Xor, firstMs, firstMs + 1000, bytes.AsSpan(0, XorChunk.Encode([firstMs, firstMs + 1000], [1, 2], bytes)));
        }

        return Path.Combine(folder, writer.Finish().Ulid.ToString());
    }
}
