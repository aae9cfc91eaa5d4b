using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Storage;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests;

/// <summary>The series that a shard tells, from its head and from what its blocks said before, are those that a selection of samples finds.</summary>
public sealed class SeriesLookupTests : IDisposable
{
    private const long Minute = 60_000;
    private const long Hour = 60 * Minute;
    private readonly string root = Directory.CreateTempSubdirectory("series-lookup").FullName;

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Theory]
    [InlineData(1, 1L << 20)]
    [InlineData(3, 12_000)] // Answers about all series are too large to be kept.
    [InlineData(1, 0)]
    public async Task SeriesAreThoseThatASelectionFindsWhateverBecomesOfTheBlocks(int seed, long cacheBytes)
    {
        var random = new Random(seed);
        var bucket = FileSystemObjectStore.Open(Path.Combine(root, "bucket"), TimeProvider.System);
        var services = new ArchiveServices(bucket, new LocalBlockOpener(bucket), new ArchiveOptions { LabelCacheBytes = cacheBytes }, TimeProvider.System);
        await using var store = await ShardStore.OpenAsync(
            new ShardId(TenantId.Parse("t"), HashRange.Everything), Path.Combine(root, "shard"), new StorageOptions { DataDirectory = "unused" }, services, new ReplayMeter(), Assert.Fail, CancellationToken.None);
        var memory = new EngineOptions().Memory;
        var end = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() / Hour * Hour;
        var start = end - (30 * Hour);
        var (told, blocks) = (0, 0);
        for (var time = start; time <= end; time += 20 * Minute)
        {
            Append(store, random, time);
            store.Maintain(CancellationToken.None);
            if (random.Next(6) == 0)
            {
                await store.ArchiveAsync(CancellationToken.None);
            }

            if (random.Next(12) == 0)
            {
                var deleted = start + random.NextInt64(0, time - start + 1);
                await store.DeleteAsync([[new Matcher(MatchType.Equal, "job", $"{random.Next(4)}")]], new TimeRange(deleted, deleted + random.NextInt64(Minute, 30 * Hour)), CancellationToken.None);
            }

            for (var i = 0; i < 4; i++)
            {
                var from = start + random.NextInt64(-Hour, time - start + 1);
                var query = new LabelQuery(Selectors(random), random.Next(10) == 0 ? TimeRange.All : new TimeRange(from, from + random.NextInt64(1, random.Next(3) == 0 ? 6 * Minute : 30 * Hour)), random.Next(3) == 0 ? 5 : 0);
                var series = ShardLabels.Series(store, query, memory, CancellationToken.None);
                Assert.Equal(Selected(store, query), series);
                told += series.Count;
            }

            blocks = Math.Max(blocks, store.Statistics.Blocks);
        }

        Assert.True(told > 1000 && blocks > 4, $"{told} series of at most {blocks} blocks");
        Assert.Equal(cacheBytes > 0, services.Labels.Bytes > 0);
        Assert.InRange(services.Labels.Bytes, 0, cacheBytes);
        Assert.Equal(0, memory.Held);
    }

    [Fact]
    public void ABlockThatHasToldItsSeriesIsNotOpenedAgain()
    {
        using var writer = new BlockWriter(root, Ulid.New(TimeProvider.System, new Random(1)));
        var labels = Labels.Of(("__name__", "m"));
        writer.AddSeries(labels.Encoded, [Chunk(0), Chunk(Hour)]);
        var meta = writer.Finish();
        var opened = 0;
        var block = new LiveBlock(ManifestBlock.Of(Path.Combine(root, meta.Ulid.ToString()), meta), _ =>
        {
            opened++;
            return BlockReader.Open(Path.Combine(root, meta.Ulid.ToString()));
        });
        var answers = new LabelAnswers(100_000);
        using var blocks = new ShardBlocks(new ShardId(TenantId.Parse("t"), HashRange.Everything), answers, Assert.Fail);
        blocks.Replace([], [block]);

        Assert.Equal([labels], Told(0, 10 * Minute));
        Assert.True(block.TryClose());
        Assert.Equal([labels], Told(30 * Minute, 2 * Hour));
        Assert.Equal([], Told(20 * Minute, 40 * Minute));
        Assert.Equal(1, opened);

        // Between two samples that were scraped one after the other may lie nothing, and that only the index knows.
        Assert.Equal([], Told(20 * Minute, 21 * Minute));
        Assert.Equal(2, opened);

        // What it told goes with it.
        Assert.True(answers.Bytes > 0);
        blocks.Replace([block], []);
        Assert.Equal(0, answers.Bytes);

        List<Labels> Told(long from, long to)
        {
            var told = new List<Labels>();
            blocks.VisitSeries([new Matcher(MatchType.Equal, "__name__", "m")], new TimeRange(from, to), l => told.Add(Labels.FromEncoded(l)), CancellationToken.None);
            return told;
        }

        // Its samples are never read.
        static BlockChunk Chunk(long time) => new(ChunkEncoding.Xor, time, time + Minute, new byte[16]);
    }

    private static IReadOnlyList<IReadOnlyList<Matcher>> Selectors(Random random) => random.Next(4) switch
    {
        0 => [[new Matcher(MatchType.Regex, "__name__", ".+")]],
        1 => [[new Matcher(MatchType.Equal, "job", "1")], [new Matcher(MatchType.NotEqual, "job", "2"), new Matcher(MatchType.Equal, "__name__", "a")]],
        2 => [[new Matcher(MatchType.Equal, "__name__", "b")]],
        _ => [[new Matcher(MatchType.Equal, "job", $"{random.Next(4)}")]],
    };

    private static List<Labels> Selected(ShardStore store, LabelQuery query)
    {
        var found = new SortedSet<Labels>();
        foreach (var selector in query.Selectors)
        {
            var sets = new List<ISeriesSet>();
            store.Select(selector, query.Range, new SelectionHints(), sets, CancellationToken.None);
            using var merged = MergedSeriesSet.Of(sets, CancellationToken.None);
            found.UnionWith(Enumerable.Range(0, merged.Count).Select(merged.LabelsOf));
        }

        return [.. query.Limit > 0 ? found.Take(query.Limit) : found];
    }

    /// <summary>Samples of series that come, pause and go.</summary>
    private static void Append(ShardStore store, Random random, long time)
    {
        var batch = new SampleBatch();
        for (var i = 0; i < 20; i++)
        {
            if (random.Next(3) > 0)
            {
                var labels = Labels.Of(("__name__", "abc"[i % 3].ToString()), ("instance", $"{(i + (time / (7 * Hour))) % 30}"), ("job", $"{i % 4}"));
                var series = SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash);
                for (var sample = 0; sample < 5; sample++)
                {
                    batch.Add(series, time + (sample * Minute), i);
                }
            }
        }

        store.Append(batch, long.MaxValue, out _);
    }
}
