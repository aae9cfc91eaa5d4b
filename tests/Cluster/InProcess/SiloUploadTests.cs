using Metrics.Model;
using Metrics.Storage;
using Xunit;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>A block of another program comes into a tenant whose shards are on several silos: begun, sent and finished through different gateways.</summary>
public sealed class SiloUploadTests : IDisposable
{
    private const int Series = 64;
    private const long FirstMs = 1_600_000_000_000;

    private static readonly TenantId tenant = TenantId.Parse("team-a");

    private readonly string folder = Directory.CreateTempSubdirectory("metrics-upload-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task ABlockIsTakenInByAnyGatewayAndServedByTheShardsOwnersAndByTheirSuccessors()
    {
        await using var silos = await SiloCluster.StartAsync(3, 2);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, FirstMs + 10_000_000, 1);
        var owners = silos.Silos.Where(s => silos.Node(s).Shards.Count > 0).ToList();
        var block = Write();
        var meta = BlockMeta.Read(block);
        await using (var first = Uploads(silos, 0))
        await using (var second = Uploads(silos, 1))
        await using (var third = Uploads(silos, 2))
        {
            await first.BeginAsync(tenant, meta, default);
            foreach (var file in meta.Thanos!.Files!.Where(static f => f.SizeBytes is not null))
            {
                await using var content = File.OpenRead(Path.Combine(block, file.RelPath!));
                await second.PutAsync(tenant, meta.Ulid, file.RelPath!, content.Length, content, default);
            }

            Assert.Equal(UploadStage.Uploading, (await third.StateAsync(tenant, meta.Ulid, default)).Stage);
            Assert.Equal(UploadStage.None, (await third.StateAsync(TenantId.Parse("team-b"), meta.Ulid, default)).Stage);
            Assert.True(await third.FinishAsync(tenant, meta.Ulid, default));
            Assert.Equal(new UploadState(UploadStage.Complete), await EndAsync(first, meta.Ulid));
        }

        Assert.True(owners.Count > 1, "shards were to be on several silos");
        foreach (var silo in silos.Silos)
        {
            Assert.Equal(3 * Series, (await silos.ReadAsync(silo, tenant)).Count);
        }

        // Every part is in a manifest, so whoever opens a shard next has it too.
        var lost = owners[0];
        var shards = silos.Node(lost).Shards.Select(static s => s.Shard).ToList();
        await silos.KillAsync(lost);
        await silos.WriteAsync(silos.Silos[0], tenant, Series, FirstMs + 10_001_000, 1);
        Assert.All(shards, shard => Assert.NotNull(silos.OwnerOf(shard)));
        Assert.Equal(4 * Series, (await silos.ReadAsync(silos.Silos[0], tenant)).Count);
    }

    private static async Task<UploadState> EndAsync(BlockUploads uploads, Ulid block)
    {
        var end = DateTime.UtcNow.AddSeconds(60);
        UploadState state;
        while ((state = await uploads.StateAsync(tenant, block, default)).Stage == UploadStage.Validating && DateTime.UtcNow < end)
        {
            await Task.Delay(20);
        }

        return state;
    }

    private BlockUploads Uploads(SiloCluster silos, int silo) => new(silos.Gateway(silos.Silos[silo]), Path.Combine(folder, $"scratch{silo}"), TimeProvider.System, static (_, _, _) => { });

    /// <summary>A block of the series that <see cref="SiloCluster.WriteAsync"/> writes, two samples of each.</summary>
    private string Write()
    {
        using var writer = new BlockWriter(folder, Ulid.New(TimeProvider.System, new Random(1)), new BlockDescription { Thanos = new ThanosMeta() });
        var bytes = new byte[XorChunk.MaxBytes(2)];
        foreach (var labels in Enumerable.Range(0, Series).Select(static i => Labels.Of(("__name__", "m"), ("i", $"{i}"))).Order())
        {
            writer.BeginSeries(labels.Encoded);
            writer.AddChunk(ChunkEncoding.Xor, FirstMs, FirstMs + 1000, bytes.AsSpan(0, XorChunk.Encode([FirstMs, FirstMs + 1000], [1, 2], bytes)));
        }

        return Path.Combine(folder, writer.Finish().Ulid.ToString());
    }
}
