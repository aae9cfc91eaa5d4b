using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests;

/// <summary>A block whose bytes went bad under a running shard: the query that meets the damage fails with file, offset and reason, later ones are served from the rest.</summary>
public sealed class DamagedBlockTests : IDisposable
{
    private const long RangeMs = 60_000;
    private static readonly ShardId Id = new(TenantId.Parse("t"), HashRange.Everything);
    private static readonly Matcher[] All = [new(MatchType.Regex, "__name__", ".+")];
    private readonly string root = Directory.CreateTempSubdirectory("damaged").FullName;
    private readonly List<string> reports = [];
    private readonly DateTimeOffset start = DateTimeOffset.UnixEpoch.AddYears(90);

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Theory]
    [InlineData("index")]
    [InlineData("chunks/000001")]
    [InlineData("meta.json")]
    [InlineData("tombstones")]
    public async Task ABlockDamagedInAnyByteIsSetAsideAndTheOtherServes(string file)
    {
        await using (var store = Open())
        {
            await FillAsync(store);
        }

        var blocks = Directory.GetDirectories(Path.Combine(root, "bucket", "t"), "0*").Order(StringComparer.Ordinal).ToList();
        Assert.Equal(2, blocks.Count);
        var path = Path.Combine(blocks[0], file);
        var good = File.ReadAllBytes(path);
        var setAside = 0;
        for (var at = 0; at < good.Length; at++)
        {
            var bad = good.ToArray();
            bad[at] ^= 0x10;
            File.WriteAllBytes(path, bad);
            await using var store = Open();
            var first = TryRead(store);
            var second = TryRead(store);
            Assert.Null(second.Error);
            if (first.Error is not null)
            {
                Assert.Contains($"{blocks[0]}/", first.Error, StringComparison.Ordinal);
                Assert.Contains(": offset ", first.Error, StringComparison.Ordinal);
            }

            if (second.Samples != 6)
            {
                setAside++;
                Assert.Equal(3, second.Samples);
                Assert.Contains(": offset ", Assert.Single(store.Damaged).Reason, StringComparison.Ordinal);
                Assert.Contains("is damaged and set aside", Assert.Single(reports), StringComparison.Ordinal);
            }

            reports.Clear();
        }

        Assert.True(setAside > 0, "no flip was noticed");
    }

    [Fact]
    public async Task DamageThatComesWhileTheBlockIsOpenFailsOneQueryAndIsThenKnown()
    {
        await using var store = Open();
        await FillAsync(store);
        Assert.Equal((6, null), TryRead(store));
        var chunks = Directory.GetFiles(Path.Combine(root, "bucket", "t"), "000001", SearchOption.AllDirectories).Order(StringComparer.Ordinal).First();
        using (var file = new FileStream(chunks, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            file.Position = 14;
            file.WriteByte(0xff);
        }

        Assert.StartsWith($"{chunks}: offset 8: checksum of a chunk", TryRead(store).Error, StringComparison.Ordinal);
        Assert.Equal((3, null), TryRead(store));
        Assert.Contains(chunks, Assert.Single(store.Damaged).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABlockThatAQueryHoldsUnopenedIsReadAfterItWasPublished()
    {
        var services = new ArchiveServices(FileSystemObjectStore.Open(Path.Combine(root, "bucket"), TimeProvider.System), null!, new ArchiveOptions(), TimeProvider.System);
        services = services with { Opener = new LocalBlockOpener(services.Store) };
        var folder = Path.Combine(root, "shard");
        await using (var store = Open())
        {
            await FillAsync(store, publish: false);
        }

        using var archive = new ShardArchive(Id, folder, services, ManifestFile.Open(services.Store, Id, folder, reports.Add), log: null, reports.Add);
        using var held = archive.Blocks.Hold(TimeRange.All);
        Assert.NotEmpty(held.Blocks);
        await archive.WorkAsync(CancellationToken.None);
        Assert.Empty(Directory.GetDirectories(Path.Combine(folder, ShardArchive.PendingFolder)));
        Assert.All(held.Blocks, b => Assert.Equal(3, Count(b.Reader().Select(All, TimeRange.All))));
        Assert.Empty(archive.Blocks.Damaged);
    }

    [Fact]
    public async Task ABlockThatIsReplacedAndRemovedWhileAQueryHoldsItUnopenedFailsTheQuery()
    {
        await using (var store = Open())
        {
            await FillAsync(store);
        }

        var folder = Directory.GetDirectories(Path.Combine(root, "bucket", "t"), "0*").Order(StringComparer.Ordinal).First();
        var described = ManifestBlock.Of(folder, BlockMeta.Read(folder));
        using var blocks = new ShardBlocks(Id, new LabelAnswers(0), reports.Add);
        blocks.Replace([], [new LiveBlock(described, live =>
        {
            blocks.Replace([live], []);
            File.Delete(Path.Combine(folder, BlockMeta.FileName)); // The first to go.
            return BlockReader.Open(folder);
        })]);

        var error = Assert.Throws<IOException>(() => blocks.Select(All, TimeRange.All, new Metrics.PromQL.SelectionHints(), [], CancellationToken.None));

        Assert.Contains("was replaced by others while it was asked", error.Message, StringComparison.Ordinal);
        Assert.Empty(blocks.Damaged);
        Assert.Empty(reports);
    }

    [Fact]
    public async Task ADamagedBlockThatIsNoLongerTheShardsIsForgotten()
    {
        var services = new ArchiveServices(FileSystemObjectStore.Open(Path.Combine(root, "bucket"), TimeProvider.System), null!, new ArchiveOptions(), TimeProvider.System);
        services = services with { Opener = new LocalBlockOpener(services.Store) };
        await using (var store = Open())
        {
            await FillAsync(store);
        }

        File.Delete(Path.Combine(Directory.GetDirectories(Path.Combine(root, "bucket", "t"), "0*").Order(StringComparer.Ordinal).First(), "index"));
        var folder = Path.Combine(root, "shard");
        var manifest = ManifestFile.Open(services.Store, Id, folder, reports.Add);
        using var archive = new ShardArchive(Id, folder, services, manifest, log: null, reports.Add);
        var sets = new List<ISeriesSet>();
        archive.Blocks.Select(All, TimeRange.All, new Metrics.PromQL.SelectionHints(), sets, CancellationToken.None);
        Assert.Equal(3, sets.Sum(Count));
        var damaged = Assert.Single(archive.Blocks.Damaged).Block;
        await archive.WorkAsync(CancellationToken.None);
        Assert.Equal(damaged, Assert.Single(archive.Blocks.Damaged).Block);

        await manifest.SwapAsync(now => now with { Blocks = [.. now.Blocks.Where(b => b.Meta.Ulid != damaged.Meta.Ulid)] }, CancellationToken.None);
        await archive.WorkAsync(CancellationToken.None);
        Assert.Empty(archive.Blocks.Damaged);
        Assert.Single(archive.Blocks.Live);
    }

    private static int Count(ISeriesSet set)
    {
        using var _ = set;
        using var samples = new SampleBuffer();
        var count = 0;
        for (var i = 0; i < set.Count; i++)
        {
            samples.Clear();
            set.Read(i, samples);
            count += samples.Count;
        }

        return count;
    }

    private static (int Samples, string? Error) TryRead(ShardStore store)
    {
        var sets = new List<ISeriesSet>();
        try
        {
            store.Select(All, TimeRange.All, new Metrics.PromQL.SelectionHints(), sets, CancellationToken.None);
            return (sets.Sum(Count), null);
        }
        catch (InvalidDataException e)
        {
            sets.ForEach(s => s.Dispose());
            return (0, e.Message);
        }
    }

    // Two blocks of three samples.
    private async Task FillAsync(ShardStore store, bool publish = true)
    {
        for (var block = 0; block < 2; block++)
        {
            var batch = new SampleBatch();
            for (var n = 0; n < 3; n++)
            {
                var labels = Labels.Of(("__name__", $"s{n}"));
                batch.Add(SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash), start.ToUnixTimeMilliseconds() + (block * 2 * RangeMs), n + block);
            }

            store.Append(batch, long.MaxValue, out var position);
            await store.CommitAsync(position);
            store.CutAll(CancellationToken.None);
        }

        if (publish)
        {
            await store.ArchiveAsync(CancellationToken.None);
        }
    }

    private ShardStore Open()
    {
        var bucket = FileSystemObjectStore.Open(Path.Combine(root, "bucket"), TimeProvider.System);
        var services = new ArchiveServices(bucket, new LocalBlockOpener(bucket), new ArchiveOptions(), TimeProvider.System);
        var options = new StorageOptions { DataDirectory = "unused", BlockRange = TimeSpan.FromMilliseconds(RangeMs) };
        return ShardStore.OpenAsync(Id, Path.Combine(root, "shard"), options, services, new ReplayMeter(), reports.Add, CancellationToken.None).GetAwaiter().GetResult();
    }
}
