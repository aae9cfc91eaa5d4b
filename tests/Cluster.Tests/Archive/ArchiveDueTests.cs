using Metrics.Storage;

namespace Metrics.Cluster.Tests.Archive;

/// <summary>What a manifest alone says about whether its shard should be opened.</summary>
public sealed class ArchiveDueTests
{
    private static readonly DateTimeOffset now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    private readonly ArchiveOptions keepsThirtyDays = new() { Retention = new RetentionOptions { Raw = TimeSpan.FromDays(30) }, Downsampling = new DownsamplingOptions { Enabled = false } };

    [Fact]
    public void NothingIsDueForNoBlocksAndForOneThatIsYoung()
    {
        Assert.False(ArchiveDue.Of(Manifest(), keepsThirtyDays, now));
        Assert.False(ArchiveDue.Of(Manifest(Block(-12, -10)), keepsThirtyDays, now));
    }

    [Fact]
    public void RetentionIsDue()
    {
        var manifest = Manifest(Block(-12, -10));
        Assert.False(ArchiveDue.Of(manifest, keepsThirtyDays, now.AddDays(29)));
        Assert.True(ArchiveDue.Of(manifest, keepsThirtyDays, now.AddDays(30)));
    }

    [Fact]
    public void AMergeIsDue()
    {
        // Two of twelve hours, a window that is over: a later block is there.
        Assert.True(ArchiveDue.Of(Manifest(Block(-36, -34), Block(-34, -32), Block(-2, 0)), keepsThirtyDays, now));
    }

    [Fact]
    public void DownsamplingIsDue()
    {
        var old = Manifest(Block(-100, -98), Block(-2, 0));
        Assert.False(ArchiveDue.Of(old, keepsThirtyDays, now));
        Assert.True(ArchiveDue.Of(old, keepsThirtyDays with { Downsampling = new DownsamplingOptions() }, now));
    }

    [Fact]
    public void TheRemovalOfWhatWasReplacedAndALogThatMayBeFoundAreDue()
    {
        var retired = Manifest() with { Retired = [new RetiredBlock("01", now)] };
        Assert.False(ArchiveDue.Of(retired, keepsThirtyDays, now));
        Assert.True(ArchiveDue.Of(retired, keepsThirtyDays, now + keepsThirtyDays.DeleteDelay));
        Assert.True(ArchiveDue.Of(Manifest() with { LostLogs = [new LostLog("l", 0, EpochHistory.Empty, ["a"])] }, keepsThirtyDays, now));
    }

    private static ShardManifest Manifest(params ManifestBlock[] blocks) => new() { Epoch = 1, Owner = "o", HashRange = "all", Blocks = blocks };

    private static ManifestBlock Block(int fromHours, int untilHours) => new(
        new BlockMeta
        {
            Ulid = Ulid.New(new Testing.FakeTime(now.AddHours(fromHours).ToUnixTimeMilliseconds()), new Random(fromHours)),
            MinTime = now.AddHours(fromHours).ToUnixTimeMilliseconds(),
            MaxTime = now.AddHours(untilHours).ToUnixTimeMilliseconds(),
        },
        [new BlockFile("chunks/000001", 1000)],
        []);
}
