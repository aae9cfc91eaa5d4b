using Metrics.Model;
using Metrics.Testing;
using Xunit;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage.Tests;

/// <summary>A block in a store answers as the same block on disk, asks for little, and outlives a bad store.</summary>
public sealed class RemoteBlockTests : IDisposable
{
    private const int Series = 20_000;
    private readonly ScratchDirectory scratch = new();
    private readonly FaultyStore store = new();
    private readonly BlockReader local;
    private readonly BlockCache cache;

    public RemoteBlockTests()
    {
        var random = new Random(5);
        var directory = TestBlocks.Write(
            scratch.Path,
            new KubernetesSeries().Take(Series).Order().Select(labels => (labels, new[] { TestBlocks.Xor([.. Enumerable.Range(0, 120).Select(i => (i * 15_000L, Math.Round(random.NextDouble() * 1000, 3)))]) })));
        foreach (var path in Directory.GetFiles(directory, "*", SearchOption.AllDirectories))
        {
            store.Inner.UploadAsync("t/" + Path.GetRelativePath(directory, path), path, default).AsTask().Wait();
        }

        local = BlockReader.Open(directory);
        cache = new BlockCache(store, new BlockCacheOptions { Folder = Path.Combine(scratch.Path, "cache"), FirstHedge = TimeSpan.FromMilliseconds(200) }, TimeProvider.System);
    }

    public void Dispose()
    {
        local.Dispose();
        cache.Dispose();
        scratch.Dispose();
    }

    [Fact]
    public void EverySelectionAnswersAsTheLocalBlockDoes()
    {
        using var remote = Open();
        var random = new Random(7);
        for (var round = 0; round < 40; round++)
        {
            var labels = new KubernetesSeries().Get(random.Next(Series));
            Matcher[] matchers = (round % 4) switch
            {
                0 => [new(MatchType.Equal, "__name__", labels["__name__"])],
                1 => [new(MatchType.Equal, "__name__", labels["__name__"]), new(MatchType.NotEqual, "namespace", labels["namespace"])],
                2 => [new(MatchType.Regex, "pod", labels["pod"] is { Length: > 4 } pod ? pod[..^2] + ".*" : ".+"), new(MatchType.Equal, "__name__", labels["__name__"])],
                _ => [new(MatchType.Equal, "instance", labels["instance"])],
            };
            var from = random.Next(0, 1_800_000);
            var range = new TimeRange(from, from + random.Next(0, 900_000));
            Assert.Equal(TestBlocks.Drain(local.Select(matchers, range)), TestBlocks.Drain(remote.Select(matchers, range)));
            Assert.Equal(local.LabelValues("namespace", matchers, range), remote.LabelValues("namespace", matchers, range));
            Assert.Equal(local.LabelNames(matchers, range), remote.LabelNames(matchers, range));
        }
    }

    [Fact]
    public void OneSeriesCostsAFewSmallRequests()
    {
        using var remote = Open();
        var opening = (cache.Requests, cache.RequestedBytes);
        Assert.InRange(opening.Requests, 1, 12);
        var labels = new KubernetesSeries().Get(1234);
        Matcher[] matchers = [.. labels.Select(l => new Matcher(MatchType.Equal, l.Key, l.Value))];
        Assert.Single(TestBlocks.Drain(remote.Select(matchers, TimeRange.All)));
        Assert.InRange(cache.Requests - opening.Requests, 1, labels.Count + 4);
        Assert.InRange(cache.RequestedBytes - opening.RequestedBytes, 1, 1024 * 1024);
        Assert.True(local.Length > 4 * 1024 * 1024, $"the block has {local.Length} bytes");

        // Again, from the local disk.
        var before = cache.Requests;
        Assert.Single(TestBlocks.Drain(remote.Select(matchers, TimeRange.All)));
        Assert.Equal(before, cache.Requests);
    }

    [Fact]
    public void AWholeMetricIsFetchedInFewLargeRequests()
    {
        using var remote = Open();
        var before = cache.Requests;
        Matcher[] matchers = [new(MatchType.Regex, "__name__", ".+")];
        Assert.Equal(Series, TestBlocks.Drain(remote.Select(matchers, TimeRange.All)).Count);
        Assert.InRange(cache.Requests - before, 1, 60);
        Assert.InRange(cache.RequestedBytes, 1, (long)(1.1 * local.Length));
    }

    [Fact]
    public void ASlowRequestIsSentAgainAndTheFirstAnswerCounts()
    {
        store.SlowReads = 1;
        using var remote = Open();
        Assert.Equal(local.LabelValues("__name__", [], TimeRange.All), remote.LabelValues("__name__", [], TimeRange.All));
        Assert.InRange(cache.HedgedRequests, 1, 3);
    }

    [Theory]
    [InlineData(Fault.Fails)]
    [InlineData(Fault.Missing)]
    [InlineData(Fault.Truncated)]
    [InlineData(Fault.WrongBytes)]
    public void AFaultIsAnErrorThatNamesTheObjectAndNeverAWrongAnswer(Fault fault)
    {
        using (var remote = Open())
        {
            store.Fault = fault;
            var error = Assert.ThrowsAny<Exception>(() => TestBlocks.Drain(remote.Select([new(MatchType.Equal, "__name__", new KubernetesSeries().Get(3)["__name__"])], TimeRange.All)));
            Assert.True(error is InvalidDataException or IOException, $"{error}");
            Assert.Contains("t/", error.Message, StringComparison.Ordinal);
            store.Fault = Fault.None;
        }

        using var again = Open();
        Assert.Equal(local.LabelNames([], TimeRange.All), again.LabelNames([], TimeRange.All));
    }

    [Fact]
    public void ManyReadersOfOneBlockFetchEachPageOnce()
    {
        using var remote = Open();
        var before = cache.RequestedBytes;
        Parallel.For(0, 16, _ => Assert.Equal(Series, TestBlocks.Drain(remote.Select([new(MatchType.Regex, "__name__", ".+")], TimeRange.All)).Count));
        Assert.InRange(cache.RequestedBytes - before, 1, local.Length);
        Assert.True(cache.HeldBytes > 0);
        remote.Dispose();
        Assert.Equal(0, cache.HeldBytes);
    }

    private BlockReader Open() => cache.Open("t/", local.Meta, Directory.GetFiles(local.DirectoryPath, "*", SearchOption.AllDirectories)
        .ToDictionary(p => Path.GetRelativePath(local.DirectoryPath, p), p => new FileInfo(p).Length, StringComparer.Ordinal));
}
