using Metrics.Model;
using Metrics.Testing;
using Xunit;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage.Tests;

/// <summary>The pages of remote blocks: they come once, in few requests, go when there are too many, and are not believed.</summary>
public sealed class BlockCacheTests : IDisposable
{
    private const int Series = 6_000;
    private const int Blocks = 3;
    private static readonly Matcher[] everything = [new(MatchType.Regex, "__name__", ".+")];

    private readonly ScratchDirectory scratch = new();
    private readonly FaultyStore store = new();
    private readonly List<BlockReader> locals = [];
    private readonly string folder;

    public BlockCacheTests()
    {
        folder = Path.Combine(scratch.Path, "cache");
        for (var block = 0; block < Blocks; block++)
        {
            var random = new Random(block);
            var directory = TestBlocks.Write(
                scratch.Path,
                new KubernetesSeries().Take(Series).Order().Select(labels => (labels, new[] { TestBlocks.Xor([.. Enumerable.Range(0, 60).Select(i => (i * 15_000L, random.NextDouble()))]) })),
                seed: block);
            foreach (var path in Files(directory))
            {
                store.Inner.UploadAsync($"t/{block}/{Path.GetRelativePath(directory, path)}", path, default).AsTask().Wait();
            }

            locals.Add(BlockReader.Open(directory));
        }
    }

    public void Dispose()
    {
        store.Released.TrySetResult();
        locals.ForEach(b => b.Dispose());
        scratch.Dispose();
    }

    [Fact]
    public void UnderATinyLimitConcurrentReadersGetRightAnswersAndTheDiskStaysBounded()
    {
        const long limit = 1024 * 1024;
        using var cache = Cache(limit);
        var remotes = Enumerable.Range(0, Blocks).Select(b => Open(cache, b)).ToList();
        var opened = cache.HeldBytes;
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, reader =>
        {
            var random = new Random(reader);
            for (var round = 0; round < 25; round++)
            {
                var block = random.Next(Blocks);
                var labels = new KubernetesSeries().Get(random.Next(Series));
                Matcher[] matchers = [new(MatchType.Equal, "__name__", labels["__name__"])];
                Assert.Equal(TestBlocks.Drain(locals[block].Select(matchers, TimeRange.All)), TestBlocks.Drain(remotes[block].Select(matchers, TimeRange.All)));
            }
        });
        Assert.True(cache.Instruments.EvictedBytes > limit, $"{cache.Instruments.EvictedBytes} bytes were dropped");

        // Beside the limit there are what stays with an open block, and pages at its edges.
        Assert.InRange(cache.HeldBytes, 1, Math.Max(limit, opened));
        Assert.InRange(Blocks1024OnDisk(), 1, (cache.HeldBytes / 1024) + 256);
        remotes.ForEach(r => r.Dispose());
        Assert.Equal(0, cache.HeldBytes);
        Assert.Equal(0, cache.OpenBlocks);
        Assert.Empty(Directory.GetFiles(folder));
    }

    [Fact]
    public void WhatIsHeldStaysUntilItsLastReaderIsGone()
    {
        using var cache = Cache(64 * 1024);
        using var remote = Open(cache, 0);
        var held = remote.Hold();
        Assert.Equal(Series, TestBlocks.Drain(remote.Select(everything, TimeRange.All)).Count);
        Assert.Equal(0, cache.Instruments.EvictedBytes);
        Assert.True(cache.HeldBytes > locals[0].Length / 2);
        Assert.True(cache.IsOver);
        held.Dispose();
        Assert.True(cache.Instruments.EvictedBytes > locals[0].Length / 2, $"{cache.Instruments.EvictedBytes} bytes went");
        var before = cache.Requests;
        Assert.Equal(TestBlocks.Drain(locals[0].Select(OneSeries(), TimeRange.All)), TestBlocks.Drain(remote.Select(OneSeries(), TimeRange.All)));
        Assert.True(cache.Requests > before, "what had gone was not fetched");
    }

    [Fact]
    public void ASeriesReadAgainAndAgainStaysWhileOthersPassBy()
    {
        using var cache = Cache(locals[0].Length * 3 / 2);
        var remotes = Enumerable.Range(0, Blocks).Select(b => Open(cache, b)).ToList();
        TestBlocks.Drain(remotes[1].Select(OneSeries(), TimeRange.All));
        foreach (var block in new[] { 0, 2, 0, 2 })
        {
            foreach (var name in locals[block].LabelValues("__name__", [], TimeRange.All))
            {
                TestBlocks.Drain(remotes[block].Select([new(MatchType.Equal, "__name__", name)], TimeRange.All));
                var before = cache.Requests;
                TestBlocks.Drain(remotes[1].Select(OneSeries(), TimeRange.All));
                Assert.Equal(before, cache.Requests);
            }
        }

        Assert.True(cache.Instruments.EvictedBytes > locals[0].Length, $"{cache.Instruments.EvictedBytes} bytes went");
        remotes.ForEach(r => r.Dispose());
    }

    [Fact]
    public void BytesThatGoWrongOnTheLocalDiskAreFetchedOnceMore()
    {
        using var cache = Cache(long.MaxValue);
        using var remote = Open(cache, 0);
        var want = TestBlocks.Drain(remote.Select(everything, TimeRange.All));
        var file = Assert.Single(Directory.GetFiles(folder), f => new FileInfo(f).Length == SegmentBytes(0));
        using (var handle = File.OpenHandle(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
        {
            RandomAccess.Write(handle, new byte[100_000], 50_000);
        }

        Assert.Equal(want, TestBlocks.Drain(remote.Select(everything, TimeRange.All)));
        var mended = cache.Instruments.MendedSections;
        Assert.True(mended > 50, $"{mended} chunks were mended");

        // For good.
        Assert.Equal(want, TestBlocks.Drain(remote.Select(everything, TimeRange.All)));
        Assert.Equal(mended, cache.Instruments.MendedSections);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WrongBytesThatComeOnceAreFetchedOnceMore(bool whileOpening)
    {
        using var cache = Cache(long.MaxValue);
        var want = TestBlocks.Drain(locals[0].Select(OneSeries(), TimeRange.All));
        using var opened = whileOpening ? null : Open(cache, 0);
        store.FaultyReads = 1;
        store.Fault = Fault.WrongBytes;
        using var remote = opened is null ? Open(cache, 0) : null;
        Assert.Equal(want, TestBlocks.Drain((opened ?? remote)!.Select(OneSeries(), TimeRange.All)));
        Assert.True(store.FaultyReads <= 0, "nothing wrong came");
    }

    [Fact]
    public async Task AQueryThatIsGivenUpStopsWaitingAndTakesItsRequestAlong()
    {
        using var cache = Cache(long.MaxValue);
        using var remote = Open(cache, 0);
        store.SlowReads = int.MaxValue;
        using var deadline = new CancellationTokenSource();
        var query = Task.Run(() => TestBlocks.Drain(remote.Select(OneSeries(), TimeRange.All, deadline.Token)));
        await store.Hanging.Task;
        await deadline.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => query);
        store.SlowReads = 0;
        Assert.Equal(TestBlocks.Drain(locals[0].Select(OneSeries(), TimeRange.All)), TestBlocks.Drain(remote.Select(OneSeries(), TimeRange.All)));
        Assert.True(store.GivenUp > 0, "the request went on");
    }

    [Fact]
    public async Task WhoWaitsForTheSamePagesIsNotGivenUpWithTheOneWhoAskedFirst()
    {
        using var cache = Cache(long.MaxValue);
        using var remote = Open(cache, 0);
        var before = cache.Requests;
        store.SlowReads = 1;
        using var deadline = new CancellationTokenSource();
        var first = Task.Run(() => TestBlocks.Drain(remote.Select(everything, TimeRange.All, deadline.Token)));
        await store.Hanging.Task;
        var misses = cache.Instruments.MissedPages;
        var second = Task.Run(() => TestBlocks.Drain(remote.Select(everything, TimeRange.All)));
        while (cache.Instruments.MissedPages == misses)
        {
            await Task.Yield();
        }

        await deadline.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.Equal(0, store.GivenUp);
        store.Released.SetResult();
        Assert.Equal(Series, (await second).Count);
        Assert.InRange(cache.RequestedBytes, 1, (long)(1.1 * locals[0].Length));
        Assert.True(cache.Requests > before);
    }

    [Fact]
    public async Task ARequestThatHangsHoldsUpNobodyWhoWantsOtherPages()
    {
        using var cache = Cache(long.MaxValue);
        using var remote = Open(cache, 0);
        var segment = locals[0].Length - locals[0].Index.Length;
        Assert.True(segment > 10 * CachedFile.PageBytes, $"the chunks have {segment} bytes");
        using var postings = new PostingsBuffer();
        remote.Index.AddAll(postings);
        var entry = new SeriesEntry();
        remote.Index.ReadSeries(postings.Items[0], entry);
        var early = entry.Chunks[0];
        remote.Index.ReadSeries(postings.Items[^1], entry);
        var late = entry.Chunks[0];

        using var held = remote.Hold();
        store.SlowReads = 1;
        var hanging = Task.Run(() => remote.ReadChunk(late, out _).ToArray());
        await store.Hanging.Task;
        Assert.Equal(locals[0].ReadChunk(early, out _).ToArray(), remote.ReadChunk(early, out _).ToArray());
        Assert.False(hanging.IsCompleted);
        store.Released.SetResult();
        Assert.Equal(locals[0].ReadChunk(late, out _).ToArray(), await hanging);
    }

    [Fact]
    public void AMergeReadsFarAhead()
    {
        using var cache = Cache(long.MaxValue);
        using var remote = Open(cache, 0);
        var before = cache.Requests;
        var made = BlockMerge.Run([new MergeInput(remote, [])], new MergeRequest { Directory = scratch.Path, Time = TimeProvider.System }, default);
        using var copy = BlockReader.Open(Path.Combine(scratch.Path, Assert.Single(made).Ulid.ToString()));
        Assert.Equal(TestBlocks.Drain(locals[0].Select(everything, TimeRange.All)), TestBlocks.Drain(copy.Select(everything, TimeRange.All)));
        var pages = locals[0].Length / CachedFile.PageBytes;
        Assert.True(pages > 80, $"the block has {pages} pages");
        Assert.InRange(cache.Requests - before, 1, 24);
        Assert.InRange(cache.RequestedBytes, 1, (long)(1.1 * locals[0].Length));
    }

    [Fact]
    public void ListsOfManyValuesAndManyMatchersComeInFewRequests()
    {
        using var cache = Cache(long.MaxValue);
        using var remote = Open(cache, 0);
        var before = cache.Requests;
        var labels = new KubernetesSeries().Get(77);
        Matcher[] matchers = [.. labels.Select(l => new Matcher(MatchType.Equal, l.Key, l.Value))];
        using (var found = remote.Select(matchers, TimeRange.All))
        {
            Assert.Equal(1, found.Count);
        }

        Assert.InRange(cache.Requests - before, 1, labels.Count + 3);
        before = cache.Requests;
        using (var found = remote.Select([new(MatchType.Regex, "pod", ".*1.*")], new TimeRange(-5, -1)))
        {
            Assert.Equal(0, found.Count);
        }

        Assert.Equal(before, cache.Requests);
        using (var found = remote.Select([new(MatchType.Regex, "pod", ".*1.*")], TimeRange.All))
        {
            using var want = locals[0].Select([new(MatchType.Regex, "pod", ".*1.*")], TimeRange.All);
            Assert.Equal(want.Count, found.Count);
        }

        Assert.InRange(cache.Requests - before, 1, 40);
    }

    [Fact]
    public void LabelsAreAnsweredWithoutAChunk()
    {
        using var cache = Cache(long.MaxValue);
        using var remote = Open(cache, 0);
        Assert.Equal(locals[0].LabelValues("namespace", everything, TimeRange.All), remote.LabelValues("namespace", everything, TimeRange.All));
        Assert.Equal(locals[0].LabelNames(everything, TimeRange.All), remote.LabelNames(everything, TimeRange.All));
        Assert.InRange(cache.RequestedBytes, 1, locals[0].Index.Length + (4 * CachedFile.PageBytes));
    }

    [Fact]
    public void TooManyOpenBlocksAreOver()
    {
        using var cache = new BlockCache(store, new BlockCacheOptions { Folder = folder, MaxOpenBlocks = 2 }, TimeProvider.System);
        using var first = Open(cache, 0);
        Assert.False(cache.IsOver);
        var second = Open(cache, 1);
        Assert.True(cache.IsOver);
        second.Dispose();
        Assert.False(cache.IsOver);
    }

    private static Matcher[] OneSeries() => [.. new KubernetesSeries().Get(1234).Select(l => new Matcher(MatchType.Equal, l.Key, l.Value))];

    private static string[] Files(string directory) => Directory.GetFiles(directory, "*", SearchOption.AllDirectories);

    private BlockCache Cache(long maxBytes, string name = "cache") => new(store, new BlockCacheOptions { Folder = Path.Combine(scratch.Path, name), MaxBytes = maxBytes, FirstHedge = TimeSpan.FromMinutes(1), LeastHedge = TimeSpan.FromMinutes(1) }, TimeProvider.System);

    private BlockReader Open(BlockCache cache, int block) => cache.Open(
        $"t/{block}/",
        locals[block].Meta,
        Files(locals[block].DirectoryPath).ToDictionary(p => Path.GetRelativePath(locals[block].DirectoryPath, p), p => new FileInfo(p).Length, StringComparer.Ordinal));

    private long SegmentBytes(int block) => new FileInfo(Path.Combine(locals[block].DirectoryPath, "chunks", "000001")).Length;

    // What the file system says, in KiB.
    private long Blocks1024OnDisk()
    {
        var start = new System.Diagnostics.ProcessStartInfo("du", ["-sk", folder]) { RedirectStandardOutput = true, UseShellExecute = false };
        using var du = System.Diagnostics.Process.Start(start)!;
        var text = du.StandardOutput.ReadToEnd();
        du.WaitForExit();
        return long.Parse(text.Split('\t')[0], System.Globalization.CultureInfo.InvariantCulture);
    }
}
