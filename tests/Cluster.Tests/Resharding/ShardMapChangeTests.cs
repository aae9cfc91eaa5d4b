using System.Text;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster.Tests.Resharding;

public sealed class ShardMapChangeTests
{
    private static readonly TenantId tenant = TenantId.Parse("t");
    private static readonly DateTimeOffset at = DateTimeOffset.UnixEpoch.AddYears(60);

    [Fact]
    public void AMapThatAnnouncesAChangeIsReadAsItWasWritten()
    {
        var announced = ShardMap.Create(2).Announcing(ShardMapChange.Split(new HashRange(1, 1), at));
        var read = ShardMap.Read(announced.ToJson(), "a map");
        Assert.Equal(2, read.Version);
        Assert.Equal([new(0, 1), new HashRange(1, 1)], read.Ranges);
        Assert.Equal((announced.Change!.Id, at, "0b1 to 0b10 and 0b11"), (read.Change!.Id, read.Change.At, read.Change.ToString()));
        var (done, givenUp) = (read.Decided(isDone: true, at), read.Decided(isDone: false, at));
        Assert.Equal((3L, at, 3L, (DateTimeOffset?)null), (done.Version, done.ChangedAt!.Value, givenUp.Version, givenUp.ChangedAt));
        Assert.Equal([new(0, 1), new(2, 2), new HashRange(3, 2)], done.Ranges);
        Assert.Equal(announced.Ranges, givenUp.Ranges);
        Assert.Equal("""{"version":1,"shards":["all"]}""", Encoding.UTF8.GetString(ShardMap.Create(1).ToJson()));
    }

    [Fact]
    public void AMergeUndoesASplit()
    {
        var split = ShardMap.Create(1).Announcing(ShardMapChange.Split(HashRange.Everything, at)).Decided(isDone: true, at);
        var merged = split.Announcing(ShardMapChange.Merge(HashRange.Everything, at)).Decided(isDone: true, at);
        Assert.Equal(5, merged.Version);
        Assert.Equal([HashRange.Everything], merged.Ranges);
    }

    [Fact]
    public void WhatIsNoChangeOfTheMapIsRefused()
    {
        var map = ShardMap.Create(2);
        Assert.Throws<ArgumentException>(() => map.Announcing(ShardMapChange.Split(HashRange.Everything, at)));
        Assert.Throws<ArgumentException>(() => map.Announcing(ShardMapChange.Merge(new HashRange(0, 1), at)));
        Assert.Throws<ArgumentException>(() => map.Announcing(new ShardMapChange("x", [new HashRange(0, 1)], [new HashRange(0, 2)], at)));
        Assert.Throws<ArgumentException>(() => map.Announcing(ShardMapChange.Split(new HashRange(0, 1), at)).Announcing(ShardMapChange.Split(new HashRange(1, 1), at)));
    }

    [Theory]
    [InlineData("""{"version":2,"shards":["0b0","0b1"],"change":{"id":"x","parents":["0b0"],"children":["0b00"],"at":"2030-01-01T00:00:00Z"}}""")]
    [InlineData("""{"version":2,"shards":["0b0","0b1"],"change":{"id":"x","parents":["0b0"],"children":["0b00","0b2"],"at":"2030-01-01T00:00:00Z"}}""")]
    public void AMapWhoseChangeLeavesAGapIsRefused(string json) => Assert.Throws<InvalidDataException>(() => ShardMap.Read(Encoding.UTF8.GetBytes(json), "a map"));

    [Fact]
    public async Task OfSeveralWhoDecideTheFirstOneDoesAndAllLearnWhat()
    {
        var maps = new TenantShardMaps(new MemoryObjectStore(TimeProvider.System), 1);
        await maps.OpenAsync(tenant, default);
        var announced = await maps.AnnounceAsync(tenant, ShardMapChange.Split(HashRange.Everything, at), default);
        var decided = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(() => maps.DecideAsync(tenant, announced.Version, isDone: i % 2 == 0, at, default).AsTask())));
        Assert.All(decided, d => Assert.Equal(announced.Version + 1, d!.Version));
        Assert.All(decided, d => Assert.Equal(decided[0]!.Ranges, d!.Ranges));
        Assert.Null((await maps.FindAsync(tenant, default))!.Change);

        // A change that is decided stays so, whoever comes late.
        Assert.Equal(decided[0]!.Ranges, (await maps.DecideAsync(tenant, announced.Version, isDone: decided[0]!.Ranges.Count == 1, at, default))!.Ranges);
    }

    [Fact]
    public async Task WhatShardsRefuseGoesToThoseThatHaveTakenTheirPlace()
    {
        var moving = new MovingTenant();
        var writer = new TenantWriter(moving, new LabelLimits());
        await WriteAsync(writer, 1);
        moving.Move();
        var labels = moving.LabelSetsCarried;
        await WriteAsync(writer, 2);
        Assert.Equal(200, moving.After.Sum(s => s.Samples.Count) + moving.Before.Sum(s => s.Samples.Count));
        Assert.All(moving.After, s => Assert.All(s.Samples, sample => Assert.Equal(2, sample.Time)));
        Assert.All(moving.Before, s => Assert.All(s.Samples, sample => Assert.Equal(1, sample.Time)));
        Assert.Equal(labels + 100, moving.LabelSetsCarried);

        // From then on they are known there.
        await WriteAsync(writer, 3);
        Assert.Equal(labels + 100, moving.LabelSetsCarried);
        Assert.Equal(300, moving.After.Sum(s => s.Samples.Count) + moving.Before.Sum(s => s.Samples.Count));
    }

    [Fact]
    public async Task AWriteToShardsThatStayAwayIsGivenUpInTheEnd()
    {
        var moving = new MovingTenant();
        moving.Refuse();
        using var request = new TenantWriter(moving, new LabelLimits()).Begin<PairLabels>(ReadOnlyMemory<byte>.Empty);
        request.BeginSeries(PairLabels.Encode(("__name__", "m")));
        request.Add(1, 1);
        Assert.Contains("split or merged", (await request.WriteAsync(default)).Unavailable!.Message);
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await ((ITenant)moving).AskAsync<int>(_ => throw ShardUnavailableException.Moved(new ShardId(moving.Id, HashRange.Everything)), default));
    }

    private static async Task WriteAsync(TenantWriter writer, long time)
    {
        using var request = writer.Begin<PairLabels>(ReadOnlyMemory<byte>.Empty);
        for (var i = 0; i < 100; i++)
        {
            request.BeginSeries(PairLabels.Encode(("__name__", $"m{i}")));
            request.Add(time, i);
        }

        var outcome = await request.WriteAsync(default);
        Assert.Equal((100, null), (outcome.Accepted, outcome.Unavailable));
    }

    /// <summary>A tenant of two shards that become four, one of which its gateway hears of only when it asks.</summary>
    private sealed class MovingTenant : ITenant
    {
        private readonly FakeTenant two = new(2);
        private readonly FakeTenant four = new(4);
        private IReadOnlyList<IShard> shards;
        private bool isMoved;

        public MovingTenant() => shards = two.Shards;

        public TenantId Id => two.Id;

        public IReadOnlyList<IShard> Shards => shards;

        public IEnumerable<FakeShard> Before => two.Fakes;

        public IEnumerable<FakeShard> After => four.Fakes;

        public int LabelSetsCarried => two.LabelSetsCarried + four.LabelSetsCarried;

        public IMetricMetadata Metadata => throw new NotSupportedException();

        public void Move()
        {
            Refuse();
            isMoved = true;
        }

        public void Refuse()
        {
            foreach (var shard in two.Fakes)
            {
                shard.IsMoved = true;
            }
        }

        public ValueTask<IReadOnlyList<IShard>> RefreshAsync(IReadOnlyList<IShard> seen, CancellationToken cancellation)
        {
            shards = isMoved ? four.Shards : two.Shards;
            return ValueTask.FromResult(shards);
        }

        public ValueTask<string> SnapshotAsync(bool skipHead, CancellationToken cancellation) => throw new NotSupportedException();
    }
}
