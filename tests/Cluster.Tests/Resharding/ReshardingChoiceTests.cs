using Metrics.Model;

namespace Metrics.Cluster.Tests.Resharding;

public sealed class ReshardingChoiceTests
{
    private static readonly TenantId tenant = TenantId.Parse("t");
    private static readonly ReshardingOptions options = new() { SplitSeries = 1000, SplitSamplesPerSecond = 100, MergeAfter = TimeSpan.FromHours(1), SplitAfter = TimeSpan.FromMinutes(5), RateOver = TimeSpan.FromMinutes(5) };
    private static readonly DateTimeOffset now = DateTimeOffset.UnixEpoch.AddYears(60);

    [Theory]
    [InlineData("0b0 1001 0 0s, 0b1 900 0 0s", "split 0b0")]
    [InlineData("0b0 1001 0 0s, 0b1 2000 0 0s", "split 0b1")]
    [InlineData("0b0 1001 0 0s, 0b1 900 130 300s", "split 0b1")]
    [InlineData("0b0 1000 100 300s, 0b1 999 99 300s", "")]
    [InlineData("all 10 500 299s", "")]
    [InlineData("all 10 500 300s", "split all")]
    [InlineData("0b00 100 5 3600s, 0b01 100 5 3600s, 0b1 10 1 3600s", "merge 0b00")]
    [InlineData("0b00 100 5 3600s, 0b01 100 5 3599s, 0b1 10 1 3600s", "")]
    [InlineData("0b00 100 5 3600s, 0b01 100 20 3600s, 0b1 10 1 3600s", "")]
    [InlineData("0b00 125 5 3600s, 0b01 125 5 3600s, 0b1 10 1 3600s", "")]
    [InlineData("0b00 124 5 3600s, 0b01 125 5 3600s, 0b1 10 1 3600s", "merge 0b00")]
    [InlineData("0b01 1 1 3600s, 0b10 1 1 3600s", "")]
    [InlineData("0b00 100 1 3600s, 0b01 100 1 3600s, 0b10 50 1 3600s, 0b11 50 1 3600s", "merge 0b10")]
    [InlineData("0b0 1 1 3600s, 0b1 1 1 3600s", "")]
    [InlineData("0b0000000000000000 5000 0 0s", "")]
    public void WhatIsFurthestBeyondItsBoundsIsSplitElseTheColdestNeighboursAreMerged(string shards, string wanted)
    {
        var step = ReshardingChoice.Of([.. shards.Split(", ").Select(Parse)], options, leastBits: 1);
        Assert.Equal(wanted, step is { } s ? $"{(s.IsSplit ? "split" : "merge")} {s.Shard.Range}" : "");
    }

    [Fact]
    public void NothingIsDoneByItselfWithoutBounds()
    {
        Assert.Null(ReshardingChoice.Of([Parse("0b0 9000000 9000000 9000s"), Parse("0b1 0 0 9000s")], options with { SplitSeries = 0, SplitSamplesPerSecond = 0 }, leastBits: 0));
        Assert.Null(ReshardingChoice.Of([Parse("0b0 0 0 9000s"), Parse("0b1 0 0 9000s")], options with { MergeAfter = TimeSpan.Zero }, leastBits: 0));
    }

    /// <summary>A merged shard must more than double before it splits again, and the halves of one that split are not cold: whatever they do, one does not call for the other.</summary>
    [Fact]
    public void ASplitAndAMergeDoNotCallForEachOther()
    {
        var random = new Random(5);
        for (var i = 0; i < 1000; i++)
        {
            var (low, high) = (random.Next(2000), random.Next(2000));
            var halves = ReshardingChoice.Of([Parse($"0b00 {low} 0 3600s"), Parse($"0b01 {high} 0 3600s")], options, leastBits: 0);
            var whole = ReshardingChoice.Of([Parse($"0b0 {low + high} 0 3600s")], options, leastBits: 0);
            Assert.False(halves is { IsSplit: false } && whole is { IsSplit: true }, $"{low} and {high} are merged and split");
        }
    }

    [Fact]
    public void AStepWaitsForTheMapToHaveBeenAsItIs()
    {
        var first = ShardMap.Create(2);
        var split = new ReshardingStep(new ShardId(tenant, new HashRange(0, 1)), IsSplit: true);
        Assert.True(ReshardingChoice.IsDue(split, first, options, now));
        var announced = first.Announcing(ShardMapChange.Split(new HashRange(0, 1), now));
        Assert.False(ReshardingChoice.IsDue(split, announced, options, now));
        Assert.True(ReshardingChoice.IsDue(split, announced, options, now + options.GivenUpAfter));
        var done = announced.Decided(isDone: true, now);
        var again = new ReshardingStep(new ShardId(tenant, new HashRange(1, 1)), IsSplit: true);
        var merge = new ReshardingStep(new ShardId(tenant, new HashRange(0, 2)), IsSplit: false);
        Assert.False(ReshardingChoice.IsDue(split, done, options, now + TimeSpan.FromDays(1)));
        Assert.False(ReshardingChoice.IsDue(again, done, options, now + TimeSpan.FromMinutes(4)));
        Assert.True(ReshardingChoice.IsDue(again, done, options, now + TimeSpan.FromMinutes(5)));
        Assert.False(ReshardingChoice.IsDue(merge, done, options, now + TimeSpan.FromMinutes(59)));
        Assert.True(ReshardingChoice.IsDue(merge, done, options, now + TimeSpan.FromMinutes(60)));
        Assert.False(ReshardingChoice.IsDue(new ReshardingStep(new ShardId(tenant, new HashRange(1, 1)), IsSplit: false), done, options, now + TimeSpan.FromDays(1)));
    }

    [Fact]
    public void ABurstShowsLittleInARateAndAShardJustSeenDoesNotLookIdle()
    {
        var time = new SteppedTime();
        var rates = new SteadyRates(TimeSpan.FromMinutes(5), time);
        var shard = new ShardId(tenant, HashRange.Everything);
        var samples = 0L;
        Assert.Equal(default, rates.Of(shard));
        rates.Look([(shard, samples)]);
        for (var i = 0; i < 60; i++)
        {
            time.Advance(TimeSpan.FromSeconds(5));
            rates.Look([(shard, samples += 500)]);
            Assert.InRange(rates.Of(shard).SamplesPerSecond, 99.9, 100.1);
        }

        Assert.Equal(TimeSpan.FromMinutes(5), rates.Of(shard).Observed);
        time.Advance(TimeSpan.FromSeconds(5));
        rates.Look([(shard, samples + 50_000)]);
        Assert.InRange(rates.Of(shard).SamplesPerSecond, 300, 400);

        // Opened again, it counts from zero.
        time.Advance(TimeSpan.FromSeconds(5));
        rates.Look([(shard, 500)]);
        Assert.InRange(rates.Of(shard).SamplesPerSecond, 300, 400);
        rates.Look([]);
        Assert.Equal(default, rates.Of(shard));
    }

    private static ShardFigures Parse(string text)
    {
        var parts = text.Split(' ');
        return new ShardFigures(new ShardId(tenant, HashRange.Parse(parts[0])), long.Parse(parts[1]), double.Parse(parts[2]), TimeSpan.FromSeconds(int.Parse(parts[3].TrimEnd('s'))));
    }

    private sealed class SteppedTime : TimeProvider
    {
        private long ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => ticks;

        public void Advance(TimeSpan by) => ticks += by.Ticks;
    }
}
