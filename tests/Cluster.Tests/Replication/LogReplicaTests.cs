using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster.Replication;

/// <summary>The replica over real files: what the simulation assumes of its disks holds here, across openings.</summary>
public class LogReplicaTests : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory("replica").FullName;
    private protected LogReplica Replica { get; private set; } = null!;

    private protected string Folder => folder;

    public Task InitializeAsync()
    {
        Replica = Open();
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await Replica.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task APromiseOutlivesTheProcess()
    {
        await BeginAsync(5);
        await ReopenAsync();
        Assert.Equal(ReplicaStatus.Fenced, (await BeginAsync(4)).Status);
        Assert.Equal(ReplicaStatus.Fenced, (await AppendAsync(4, 4, 0, 0, "late")).Status);
        Assert.Equal(ReplicaStatus.Done, (await BeginAsync(5)).Status);
    }

    [Fact]
    public async Task AnAppendNeedsThePromiseOfItsEpoch()
    {
        await BeginAsync(2);
        Assert.Equal(ReplicaStatus.Gap, (await AppendAsync(3, 3, 0, 0, "a")).Status);
    }

    [Fact]
    public async Task TheSameAppendTwiceIsThereOnce()
    {
        await BeginAsync(1);
        await AppendAsync(1, 1, 0, 0, "a", "b");
        var again = await AppendAsync(1, 1, 0, 0, "a", "b");
        var overlapping = await AppendAsync(1, 1, 1, 1, "b", "c");
        Assert.Equal((ReplicaStatus.Done, ReplicaStatus.Done, 3L), (again.Status, overlapping.Status, overlapping.Next));
        Assert.Equal(["a", "b", "c"], await ReadAsync(0));
    }

    [Fact]
    public async Task RecordsThatDoNotFollowAreRefused()
    {
        await BeginAsync(1);
        await AppendAsync(1, 1, 0, 0, "a");
        Assert.Equal(ReplicaStatus.Gap, (await AppendAsync(1, 1, 1, 2, "c")).Status);
        Assert.Equal(ReplicaStatus.Gap, (await AppendAsync(1, 1, 7, 1, "b of another log")).Status);
        Assert.Equal(1, (await BeginAsync(1)).Next);
    }

    [Fact]
    public async Task ATailThatALaterEpochReplacedIsDropped()
    {
        await BeginAsync(1);
        await AppendAsync(1, 1, 0, 0, "a", "b", "never acknowledged");
        var begun = await AskAsync(new BeginRequest(3, 0, EpochHistory.Empty.With(1, 0).With(3, 2)), CancellationToken.None);
        Assert.Equal(2, begun.Next);
        await AppendAsync(3, 3, 1, 2, "c");
        await ReopenAsync();
        Assert.Equal(["a", "b"], await ReadAsync(0));
        Assert.Equal(["c"], await ReadAsync(2));
    }

    [Fact]
    public async Task AcknowledgedRecordsAreNotDroppedWhateverIsClaimed()
    {
        await BeginAsync(1);
        await AppendAsync(1, 1, 0, 0, "a", "b");
        await AskAsync(new AppendRequest(1, 1, 1, 2, 1, Frames.Of(2, "c"), Committed: 2, Start: 0), CancellationToken.None);
        await Assert.ThrowsAsync<ReplicationInvariantException>(async () =>
            await AskAsync(new BeginRequest(2, 0, EpochHistory.Empty.With(1, 0).With(2, 1)), CancellationToken.None));
    }

    [Fact]
    public async Task AReplicaThatJoinsLateIsFilledFromBehindAndThenIsOneLog()
    {
        await BeginAsync(1);
        await AppendAsync(1, 1, 0, 0, "a");
        await AskAsync(new BeginRequest(2, 0, EpochHistory.Empty.With(1, 0).With(2, 1), Join: 1, JoinAt: 3), CancellationToken.None);
        var joined = await AppendAsync(2, 2, 2, 3, "d", "e");
        Assert.Equal((3, 5, 0, 1), (joined.First, joined.Next, joined.BehindFirst, joined.BehindNext));
        await ReopenAsync();
        var behind = await AskAsync(new AppendRequest(2, 2, 1, 1, 2, Frames.Of(1, "b", "c"), 0, 0, IsBehind: true), CancellationToken.None);
        Assert.Equal((ReplicaStatus.Done, 0L, 5L), (behind.Status, behind.First, behind.Next));
        await ReopenAsync();
        Assert.Equal(["a"], await ReadAsync(0));
        Assert.Equal(["b", "c"], await ReadAsync(1));
        Assert.Equal(["d", "e"], await ReadAsync(3));
        Assert.Equal(EpochHistory.Empty.With(1, 0).With(2, 1), (await BeginAsync(2)).History);
    }

    [Fact]
    public async Task ARottenRecordIsToldUntilTheReplicaJoinsAnew()
    {
        await BeginAsync(1);
        await AppendAsync(1, 1, 0, 0, "first record", "second record", "third record");
        await Replica.DisposeAsync();
        var segment = Directory.EnumerateFiles(Path.Combine(folder, "log"), "*.log").Single();
        var bytes = File.ReadAllBytes(segment);
        bytes[45] ^= 1;
        File.WriteAllBytes(segment, bytes);
        Replica = Open();
        Assert.True((await BeginAsync(1)).IsDamaged);
        await ReopenAsync();
        Assert.Equal(ReplicaStatus.Damaged, (await AppendAsync(1, 1, 1, 1, "second record")).Status);
        var joined = await AskAsync(new BeginRequest(1, 0, EpochHistory.Empty.With(1, 0), Join: 1, JoinAt: 3, WholeAt: 4), CancellationToken.None);
        Assert.Equal((false, false), (joined.IsDamaged, joined.IsWhole));
        Assert.True((await AppendAsync(1, 1, 1, 3, "fourth record")).IsWhole);
        await ReopenAsync();
        Assert.False((await BeginAsync(1)).IsDamaged);
    }

    [Fact]
    public async Task AHalfWrittenRecordIsCutAndMissedByNobody()
    {
        await BeginAsync(1);
        await AppendAsync(1, 1, 0, 0, "a", "b");
        await Replica.DisposeAsync();
        var segment = Directory.EnumerateFiles(Path.Combine(folder, "log"), "*.log").Single();
        File.WriteAllBytes(segment, File.ReadAllBytes(segment)[..^1]);
        Replica = Open();
        var begun = await BeginAsync(1);
        Assert.Equal((1, false), (begun.Next, begun.IsDamaged));
        await AppendAsync(1, 1, 1, 1, "b");
        Assert.Equal(["a", "b"], await ReadAsync(0));
    }

    [Fact]
    public async Task OldSegmentsGoWhenTheyAreNeededNoMore()
    {
        await BeginAsync(1);
        for (var i = 0; i < 20; i++)
        {
            await AppendAsync(1, 1, i == 0 ? 0 : 1, i, new string('x', 200));
        }

        var answer = await AskAsync(new BeginRequest(1, 15, EpochHistory.Empty.With(1, 0)), CancellationToken.None);
        Assert.InRange(answer.First, 1, 15);
        Assert.Equal(ReplicaStatus.Absent, (await AskAsync(new ReadRequest(0, 1000), CancellationToken.None)).Status);
        await ReopenAsync();
        Assert.Equal(answer.First, (await BeginAsync(1)).First);
        Assert.Equal(5, (await ReadAsync(15)).Count);
    }

    [Fact]
    public async Task OnlyReplicasThatNoManifestNamesAreSwept()
    {
        var shard = new ShardId(TenantId.Parse("t"), HashRange.Everything);
        var store = new ObjectStore.MemoryObjectStore(TimeProvider.System);
        var replicas = LogReplicas.Open(new NodeId("n1"), Path.Combine(folder, "all"), new LogOptions(), TimeProvider.System, _ => { });
        foreach (var lineage in new[] { "kept", "gone" })
        {
            await replicas.Get(new LogId(shard, lineage)).AskAsync(new BeginRequest(1, 0, EpochHistory.Empty), CancellationToken.None);
        }

        var manifest = ManifestFile.Open(store, shard, "first");
        await manifest.SyncAsync(CancellationToken.None);
        var log = new ManifestLog { Lineage = "kept", History = EpochHistory.Empty.With(1, 0), Ranges = [new EnsembleRange(0, 1, ["n1"])] };
        await manifest.SwapAsync(m => m with { Log = log }, CancellationToken.None);
        await replicas.SweepAsync(store, CancellationToken.None);
        Assert.True(Directory.Exists(Path.Combine(folder, "all", "t", "all", "gone")), "it has promised the epoch in force, and may be about to become a member");
        await ManifestFile.Open(store, shard, "second").SyncAsync(CancellationToken.None);
        await replicas.SweepAsync(store, CancellationToken.None);
        Assert.Equal(["kept"], Directory.EnumerateDirectories(Path.Combine(folder, "all", "t", "all")).Select(Path.GetFileName));
        await replicas.DisposeAsync();
    }

    /// <summary>Asks the replica; in a derived class, of one that has been idle.</summary>
    private protected virtual ValueTask<ReplicaAnswer> AskAsync(ReplicaRequest request, CancellationToken cancellation) => Replica.AskAsync(request, cancellation);

    private LogReplica Open() => new(async () => await FileReplicaStore.OpenAsync(folder, new LogOptions { SegmentBytes = 1000 }, TimeProvider.System, _ => { }));

    private async Task ReopenAsync()
    {
        await Replica.DisposeAsync();
        Replica = Open();
    }

    private async Task<ReplicaAnswer> BeginAsync(long epoch) => await AskAsync(new BeginRequest(epoch, 0, EpochHistory.Empty), CancellationToken.None);

    private async Task<ReplicaAnswer> AppendAsync(long epoch, long recordEpoch, long previousEpoch, long first, params string[] payloads) =>
        await AskAsync(new AppendRequest(epoch, recordEpoch, previousEpoch, first, payloads.Length, Frames.Of(first, payloads), 0, 0), CancellationToken.None);

    private async Task<List<string>> ReadAsync(long from) => Frames.Texts((await AskAsync(new ReadRequest(from, 1 << 20), CancellationToken.None)).Frames.Span);
}

/// <summary>The same of a replica that is idle before each question: it has closed its files, and answers as before.</summary>
public sealed class IdleLogReplicaTests : LogReplicaTests
{
    private protected override async ValueTask<ReplicaAnswer> AskAsync(ReplicaRequest request, CancellationToken cancellation)
    {
        // The first time it only notes that it was used.
        await Replica.RestAsync();
        await Replica.RestAsync();
        if (OperatingSystem.IsLinux())
        {
            Assert.DoesNotContain(Directory.GetFiles("/proc/self/fd"), f => new FileInfo(f).LinkTarget?.StartsWith(Folder, StringComparison.Ordinal) == true);
        }

        return await base.AskAsync(request, cancellation);
    }
}
