using Metrics.Model;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Cluster.Tests;

/// <summary>Blocks of other programs come into a tenant whole, once, and in the shards where they belong.</summary>
public sealed class BlockImportTests : IDisposable
{
    private static readonly TenantId Tenant = TenantId.Parse("t");
    private readonly string root = Directory.CreateTempSubdirectory("import").FullName;
    private readonly List<string> reports = [];

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Theory]
    [InlineData(true, "eu")]
    [InlineData(false, "")]
    public async Task EverySeriesIsFoundAgainWithOrWithoutExternalLabels(bool keep, string region)
    {
        var block = Write(1, new ThanosMeta { Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["region"] = "eu", ["__org_id__"] = "7" } });
        Assert.Equal((4, 50UL, 100UL, 0), await ImportAsync(block, keep));
        await using var cluster = Open();
        await cluster.Ready;
        var series = await SeriesAsync(cluster);
        Assert.Equal(Enumerable.Range(0, 50).Select(i => Labels.Of(("__name__", "s"), ("i", i.ToString()), ("region", region))).Order(), series.Order());
        Assert.Empty(reports);
    }

    [Fact]
    public async Task ABlockImportedAgainBeforeOrAfterItsPublicationIsThereOnce()
    {
        var block = Write(1, null);
        await using (var importing = Open())
        {
            // Shards that are opened anew would begin to publish.
            Assert.Equal((4, 50UL, 100UL, 0), await ImportAsync(importing, block));
            Assert.Equal((0, 0UL, 0UL, 4), await ImportAsync(importing, block));
        }

        await PublishAsync();
        await ImportAsync(block);
        await PublishAsync();
        await using var cluster = Open();
        await cluster.Ready;
        Assert.Equal(50, (await SeriesAsync(cluster)).Count);
        Assert.Equal(4, cluster.Tenants.Sum(t => t.Shards.Sum(s => s.Statistics.Blocks)));
    }

    [Fact]
    public async Task ADamagedBlockLeavesNothing()
    {
        var block = Write(1, null);
        var chunks = Path.Combine(block, "chunks", "000001");
        var bytes = File.ReadAllBytes(chunks);
        for (var at = 8; at < bytes.Length; at += 97)
        {
            var bad = bytes.ToArray();
            bad[at] ^= 4;
            File.WriteAllBytes(chunks, bad);
            var error = await Assert.ThrowsAsync<InvalidDataException>(() => ImportAsync(block));
            Assert.StartsWith($"{chunks}: offset ", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(Directory.EnumerateDirectories(Path.Combine(root, "data"), "*", SearchOption.AllDirectories), d => Ulid.TryParse(Path.GetFileName(d), out _));
        }
    }

    private async Task<(int Parts, ulong Series, ulong Samples, int AlreadyThere)> ImportAsync(string block, bool keep = true)
    {
        await using var cluster = Open();
        return await ImportAsync(cluster, block, keep);
    }

    private async Task<(int Parts, ulong Series, ulong Samples, int AlreadyThere)> ImportAsync(InProcessCluster cluster, string block, bool keep = true)
    {
        var import = await BlockImport.BeginAsync(cluster, Path.Combine(root, "data"), Tenant, keep, CancellationToken.None);
        using var reader = BlockReader.Open(block);
        var done = import.Import(reader, CancellationToken.None);
        return (done.Parts, done.Series, done.Samples, done.AlreadyThere);
    }

    private async Task PublishAsync()
    {
        await using var cluster = Open();
        await cluster.Ready;
        foreach (var shard in cluster.Tenants.Single().Shards)
        {
            await shard.FlushAsync(CancellationToken.None);
        }
    }

    private static async Task<List<Labels>> SeriesAsync(InProcessCluster cluster)
    {
        var all = new List<Labels>();
        foreach (var shard in cluster.Tenants.Single().Shards)
        {
            foreach (var labels in await shard.SeriesAsync(new LabelQuery([[]], TimeRange.All, int.MaxValue), CancellationToken.None))
            {
                Assert.True(shard.Id.Range.Contains(labels.Hash));
                all.Add(labels);
            }
        }

        return all;
    }

    private InProcessCluster Open() =>
        InProcessCluster.Open(new StorageOptions { DataDirectory = Path.Combine(root, "data"), ShardsPerTenant = 4 }, new EngineOptions(), TimeProvider.System, reports.Add);

    private string Write(int seed, ThanosMeta? thanos)
    {
        var folder = Directory.CreateDirectory(Path.Combine(root, "from")).FullName;
        var ulid = Ulid.New(TimeProvider.System, new Random(seed));
        using var writer = new BlockWriter(folder, ulid, new BlockDescription { Thanos = thanos });
        var bytes = new byte[XorChunk.MaxBytes(2)];
        foreach (var labels in Enumerable.Range(0, 50).Select(i => Labels.Of(("__name__", "s"), ("i", i.ToString()))).Order())
        {
            writer.BeginSeries(labels.Encoded);
            writer.AddChunk(ChunkEncoding.Xor, 1000, 2000, bytes.AsSpan(0, XorChunk.Encode([1000, 2000], [1, 2], bytes)));
        }

        writer.Finish();
        var path = Path.Combine(folder, ulid.ToString());
        File.WriteAllBytes(Path.Combine(path, BlockMeta.FileName), (BlockMeta.Read(path) with { Metrics = null }).ToJson()); // As other programs write it.
        return path;
    }
}
