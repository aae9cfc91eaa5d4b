using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Cluster.Tests;

public sealed class InProcessClusterTests : IDisposable
{
    private static readonly TenantId A = TenantId.Parse("a");
    private static readonly TenantId B = TenantId.Parse("b");
    private static readonly LabelQuery Everything = new([], TimeRange.All, 0);

    private readonly string folder = Directory.CreateTempSubdirectory("cluster").FullName;
    private readonly MemoryDisk disk = new();
    private readonly ManualTime time = new();
    private readonly List<string> reports = [];

    [Fact]
    public async Task TenantsDoNotSeeEachOther()
    {
        await using var cluster = Open();
        await Write(await cluster.OpenTenantAsync(A, default), "x", 1, 1);
        await Write(await cluster.OpenTenantAsync(B, default), "y", 1, 2);
        Assert.Equal(["x"], await Names(cluster, A));
        Assert.Equal(["y"], await Names(cluster, B));
        Assert.Null(await cluster.FindTenantAsync(TenantId.Parse("c"), default));
        Assert.False(Directory.Exists(Path.Combine(folder, "tenants", "c")));
    }

    [Fact]
    public async Task ASecondOwnerOfTheFolderIsRefusedAndANextOneIsNot()
    {
        await using (Open())
        {
            var refused = Assert.Throws<DataDirectoryInUseException>(Open);
            Assert.Contains(folder, refused.Message);
        }

        await using var next = Open();
    }

    [Fact]
    public async Task ARestartKeepsTenantsTheirShardMapAndTheirMetadata()
    {
        await using (var cluster = Open(shards: 4))
        {
            var tenant = await cluster.OpenTenantAsync(A, default);
            await Write(tenant, "x", 1, 1);
            tenant.Metadata.Put("x", new MetricMetadata("counter", "helps\nmuch", ""));
            tenant.Metadata.Put("x", new MetricMetadata("gauge", "", "s"));
            tenant.Metadata.Put("x", new MetricMetadata("gauge", "", "s"));
        }

        File.AppendAllText(Path.Combine(folder, "tenants", "a", "metadata.jsonl"), "{\"family\":\"torn");
        await using var again = Open(shards: 2);
        await again.Ready;
        Assert.True(again.Progress.IsReady);
        var found = (await again.FindTenantAsync(A, default))!;
        Assert.Equal(4, found.Shards.Count);
        Assert.Equal(["x"], await Names(again, A));
        found.Metadata.Put("z", new MetricMetadata("info", "", ""));
        Assert.Equal([new("counter", "helps\nmuch", ""), new("gauge", "", "s")], found.Metadata.Get("x", 0, 0)["x"]);
        Assert.Equal(["x", "z"], found.Metadata.Get(null, 0, 0).Keys);
        Assert.Single(found.Metadata.Get(null, 1, 1));
        Assert.Single(found.Metadata.Get("x", 0, 1)["x"]);
    }

    [Fact]
    public async Task WhileLogsAreReplayedShardsSaySoAndReadyComesAfter()
    {
        await using (var cluster = Open())
        {
            await Write(await cluster.OpenTenantAsync(A, default), "x", 1, 1);
        }

        disk.Gate = new TaskCompletionSource();
        await using var again = Open();
        Assert.False(again.Progress.IsReady);
        var tenant = await again.OpenTenantAsync(A, default);
        Assert.NotNull((await Write(tenant, "x", 2, 1)).Unavailable);
        disk.Gate.SetResult();
        await again.Ready;
        Assert.True(again.Progress.IsReady);
        Assert.Equal((2, 2), (again.Progress.ReplayedShards, again.Progress.TotalShards));
        Assert.Null((await Write(tenant, "x", 2, 1)).Unavailable);
    }

    [Fact]
    public async Task NothingIsAcknowledgedOnceTheLogFailedUntilTheShardIsOpenedAgain()
    {
        await using var shard = new Shard(new ShardId(A, HashRange.Everything), "s", TimeSpan.Zero, new EngineOptions(), time, disk.Open, reports.Add);
        await shard.OpenAsync(default);
        var batch = Batch("x", 1, 1);
        disk.FailsCommits = true;
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await shard.AppendAsync(batch, default));

        // The disk is well again, but memory is ahead of it: a retry must not be told "already there".
        disk.FailsCommits = false;
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await shard.AppendAsync(batch, default));
        await shard.MaintainAsync(default);
        Assert.False(shard.IsReady);
        disk.FailsOpens = true;
        time.Advance(Shard.ReopenAfter);
        await shard.MaintainAsync(default);
        Assert.False(shard.IsReady);
        disk.FailsOpens = false;
        time.Advance(Shard.ReopenAfter);
        await shard.MaintainAsync(default);
        Assert.Empty(await shard.SeriesAsync(Everything, default));
        Assert.Equal(1, (await shard.AppendAsync(batch, default)).Accepted);
        Assert.Single(disk.Folders["s"]);
        Assert.Equal(2, reports.Count);
    }

    [Fact]
    public async Task ABatchOfAnotherIncarnationOrRangeIsTakenNotAtAll()
    {
        var labels = Labels.Of(("__name__", "x"));
        var other = HashRange.Partition(1).Single(r => !r.Contains(labels.Hash));
        await using var shard = new Shard(new ShardId(A, other), "s", TimeSpan.Zero, new EngineOptions(), time, disk.Open, reports.Add);
        await shard.OpenAsync(default);
        var batch = Batch("x", 1, 1);
        Assert.Equal(AppendStatus.NotOwner, (await shard.AppendAsync(batch, default)).Status);
        batch.Clear();
        batch.Incarnation = 1;
        batch.Add(0, 1, 1);
        Assert.Equal(AppendStatus.StaleReferences, (await shard.AppendAsync(batch, default)).Status);
        Assert.Empty(disk.Folders["s"]);
    }

    [Fact]
    public async Task SamplesTooFarInTheFutureAreRefused()
    {
        await using var cluster = Open();
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var tenant = await cluster.OpenTenantAsync(A, default);
        Assert.Equal(1, (await Write(tenant, "x", now + 600_000, 1)).Accepted);
        Assert.Equal(RejectReason.TooFarInFuture, (await Write(tenant, "x", now + 600_001, 1)).Rejections[0].Reason);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task WhateverFailsEachAcknowledgedSampleIsOnDiskOnceUnderItsOwnLabels(int seed)
    {
        var random = new Random(seed);
        var acknowledged = new HashSet<(string, long, double)>();
        await using var cluster = Open(shards: 4);
        var tenant = await cluster.OpenTenantAsync(A, default);
        var writer = new TenantWriter(tenant, new LabelLimits(), maxCachedSeries: 64);
        for (var round = 0L; round < 200; round++)
        {
            // One long-lived writer sees shards fail and come back under other incarnations; a failed request is sent again, as senders do.
            disk.FailsCommits = random.Next(8) == 0;
            var sent = Enumerable.Range(0, random.Next(1, 12)).Select(_ => random.Next(40)).Distinct().ToArray();
            for (var attempt = 0; attempt < 2; attempt++)
            {
                using var request = writer.Begin<PairLabels>(ReadOnlyMemory<byte>.Empty);
                foreach (var series in sent)
                {
                    request.BeginSeries(PairLabels.Encode(("__name__", $"m{series}")));
                    request.Add(round, series);
                }

                var outcome = await request.WriteAsync(default);
                if (outcome.Unavailable is null)
                {
                    Assert.Equal(sent.Length, outcome.Accepted);
                    acknowledged.UnionWith(sent.Select(series => ($"m{series}", round, (double)series)));
                }

                disk.FailsCommits = false;
                time.Advance(random.Next(2) * Shard.ReopenAfter);
                foreach (var shard in tenant.Shards)
                {
                    await ((Shard)shard).MaintainAsync(default);
                }
            }
        }

        var stored = disk.Folders.Values.SelectMany(f => f).Select(s => (s.Labels.ToString(), s.Time, s.Value)).ToList();
        Assert.True(acknowledged.Count > 500, $"seed {seed}: only {acknowledged.Count} samples were acknowledged");
        Assert.Equal(stored.Count, stored.Distinct().Count());
        Assert.Empty(acknowledged.Except(stored));
        Assert.All(stored, s => Assert.Equal($"m{s.Value}", s.Item1));
    }

    [Fact]
    public void OptionsOutOfBoundsNameKeyValueAndWhatIsAllowed()
    {
        var options = new StorageOptions { DataDirectory = folder, ShardsPerTenant = 3, BlockRange = TimeSpan.FromSeconds(1) };
        Assert.Equal(["shards-per-tenant: got 3, want a power of two from 1 to 1024", "block-range: got 00:00:01, want 00:01:00 to 1.00:00:00"], options.Validate());
        Assert.Empty(new StorageOptions { DataDirectory = folder }.Validate());
    }

    [Theory]
    [InlineData("""{"version":1,"shards":["0b0"]}""")]
    [InlineData("""{"version":1,"shards":["0b0","0b0","0b1"]}""")]
    [InlineData("""{"version":1,"shards":["0b0","0b2"]}""")]
    [InlineData("""{"version":1,"shards":[]}""")]
    [InlineData("nonsense")]
    public void AShardMapThatDoesNotCoverTheSpaceOnceIsRefused(string json)
    {
        File.WriteAllText(Path.Combine(folder, ShardMap.FileName), json);
        Assert.Contains(folder, Assert.Throws<InvalidDataException>(() => ShardMap.Load(folder)).Message);
    }

    [Fact]
    public void UnequalRangesThatCoverTheSpaceAreAShardMap()
    {
        File.WriteAllText(Path.Combine(folder, ShardMap.FileName), """{"version":7,"shards":["0b11","0b0","0b10"]}""");
        Assert.Equal([new(0, 1), new(2, 2), new(3, 2)], ShardMap.Load(folder)!.Ranges);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static SampleBatch Batch(string name, long at, double value)
    {
        var labels = Labels.Of(("__name__", name));
        var batch = new SampleBatch();
        batch.Add((uint)batch.AddSeries(labels.Encoded, labels.Hash) | SampleBatch.NewSeriesFlag, at, value);
        return batch;
    }

    private static async Task<WriteOutcome> Write(ITenant tenant, string name, long at, double value)
    {
        var body = PairLabels.Encode(("__name__", name));
        using var request = new TenantWriter(tenant, new LabelLimits()).Begin<PairLabels>(body);
        request.BeginSeries(body);
        request.Add(at, value);
        return await request.WriteAsync(default);
    }

    private static async Task<List<string>> Names(ICluster cluster, TenantId tenant)
    {
        var names = new List<string>();
        foreach (var shard in (await cluster.FindTenantAsync(tenant, default))!.Shards)
        {
            names.AddRange(await shard.LabelValuesAsync("__name__", Everything, default));
        }

        return names;
    }

    private InProcessCluster Open() => Open(2);

    private InProcessCluster Open(int shards) =>
        InProcessCluster.Open(new StorageOptions { DataDirectory = folder, ShardsPerTenant = shards }, new EngineOptions(), time, disk.Open, reports.Add);

    private sealed class ManualTime : TimeProvider
    {
        private DateTimeOffset now = DateTimeOffset.UnixEpoch.AddYears(50);

        public override DateTimeOffset GetUtcNow() => now;

        public void Advance(TimeSpan by) => now += by;
    }
}
