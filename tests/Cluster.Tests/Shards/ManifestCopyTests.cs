using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster.Tests;

/// <summary>A process that dies between a change of the manifest and that of its copy beside the log starts with a copy that names blocks which may be gone.</summary>
public sealed class ManifestCopyTests : IDisposable
{
    private static readonly ShardId Id = new(TenantId.Parse("t"), HashRange.Everything);
    private readonly string root = Directory.CreateTempSubdirectory("manifest-copy").FullName;
    private readonly List<string> reports = [];
    private bool isAway;

    private string Copy => Path.Combine(root, "shard", ManifestFile.CopyName);

    private string Bucket => Path.Combine(root, "bucket");

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public async Task ACopyThatIsBehindIsNotServedFromWhenTheStoreIsThere()
    {
        var behind = await FillAsync();
        await using (var store = await OpenAsync())
        {
            Assert.Equal(6, StoredSamples.Of(store).Count);
            Assert.Empty(store.Damaged);
        }

        Assert.Empty(reports);
        Assert.NotEqual(behind, File.ReadAllBytes(Copy));
    }

    [Fact]
    public async Task WhenTheStoreIsAwayTheCopyIsServedFromAndItSaysSo()
    {
        await FillAsync();
        isAway = true;
        await using (var store = await OpenAsync())
        {
            Assert.Contains("is away", Assert.Single(reports), StringComparison.Ordinal);
            isAway = false;
            await store.ArchiveAsync(CancellationToken.None);
            Assert.Equal(6, StoredSamples.Of(store).Count);
            Assert.Empty(store.Damaged);
        }
    }

    /// <summary>Blocks that were published, merged and removed, and a copy of the manifest from before they were merged.</summary>
    private async Task<byte[]> FillAsync()
    {
        byte[]? behind = null;
        var start = TimeProvider.System.GetUtcNow().AddHours(-2).ToUnixTimeMilliseconds() / 360_000 * 360_000;
        await using (var store = await OpenAsync(step =>
        {
            if (step == "a block is published")
            {
                behind = File.ReadAllBytes(Copy);
            }
        }))
        {
            var batch = new SampleBatch();
            var labels = Labels.Of(("__name__", "m"));
            var series = SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash);
            for (var minute = 0; minute < 6; minute++)
            {
                batch.Add(series, start + (minute * 60_000L), minute);
            }

            store.Append(batch, long.MaxValue, out var position);
            await store.CommitAsync(position);
            store.CutAll(CancellationToken.None);
            await store.ArchiveAsync(CancellationToken.None);
            Assert.Equal(6, StoredSamples.Of(store).Count);
        }

        var before = ShardManifest.Read(behind!, Copy).Blocks;
        Assert.Equal(6, before.Count);
        Assert.Contains(before, b => !File.Exists(Path.Combine(Bucket, "t", b.Meta.Ulid.ToString(), BlockMeta.FileName)));
        File.WriteAllBytes(Copy, behind!);
        return behind!;
    }

    private async Task<ShardStore> OpenAsync(Action<string>? step = null)
    {
        var bucket = new SteppingStore(FileSystemObjectStore.Open(Bucket, TimeProvider.System), Check, Check);
        var options = new ArchiveOptions { DeleteDelay = TimeSpan.Zero, Compaction = new CompactionOptions { Ranges = [TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(6)] } };
        var services = new ArchiveServices(bucket, new LocalBlockOpener(bucket), options, TimeProvider.System);
        return await ShardStore.OpenAsync(
            Id, Path.Combine(root, "shard"), new StorageOptions { DataDirectory = "unused", BlockRange = TimeSpan.FromMinutes(1) }, services, new ReplayMeter(), reports.Add, CancellationToken.None, step);
    }

    private void Check(string what)
    {
        if (isAway)
        {
            throw new ObjectStoreException("the store is away");
        }
    }
}
