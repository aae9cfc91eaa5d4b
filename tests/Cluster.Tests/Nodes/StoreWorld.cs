using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster.Tests.Nodes;

/// <summary>Replicas of three nodes and a bucket below one folder, and stores of one shard on them: without a node's loops, so that nothing happens but what a test does.</summary>
internal sealed class StoreWorld : IAsyncDisposable
{
    public const long RangeMs = 60_000;
    public static readonly ShardId Shard = new(TenantId.Parse("t"), HashRange.Everything);

    private readonly string folder;
    private readonly Dictionary<NodeId, LogReplicas> replicas = [];
    private readonly HashSet<NodeId> silent = [];
    private readonly Action<string>? step;

    public StoreWorld(string folder, Action<string>? step = null)
    {
        this.folder = folder;
        this.step = step;
        var bucket = FileSystemObjectStore.Open(Path.Combine(folder, "bucket"), TimeProvider.System);
        Bucket = step is null ? bucket : new SteppingStore(bucket, step);
        foreach (var name in new[] { "a", "b", "c" })
        {
            replicas[new NodeId(name)] = LogReplicas.Open(new NodeId(name), Path.Combine(folder, name, "replicas"), new LogOptions { Fsync = FsyncPolicy.Never }, TimeProvider.System, Reports.Add);
        }
    }

    public IObjectStore Bucket { get; }

    public List<string> Reports { get; } = [];

    public void Silence(string node) => silent.Add(new NodeId(node));

    public async Task<ShardStore> OpenAsync(string node)
    {
        var self = new NodeId(node);
        var options = new ReplicationOptions { Factor = 3, OpenTimeout = TimeSpan.FromSeconds(10), RetryAfter = TimeSpan.FromMilliseconds(10), RepairEvery = TimeSpan.FromHours(1) };
        var services = new ReplicationServices(
            replicas[self], new Calls(this, self), (_, _) => [.. replicas.Keys.Where(n => n != self && !silent.Contains(n)).Order()], options, TimeProvider.System, _ => { });
        var storage = new StorageOptions
        {
            DataDirectory = "unused",
            BlockRange = TimeSpan.FromMilliseconds(RangeMs),
            HeadMemory = new HeadMemoryOptions { SpillBytes = 1, SpillFileBytes = 4096, SnapshotLogBytes = 1 },
        };
        var archive = new ArchiveServices(Bucket, new LocalBlockOpener(Bucket), new ArchiveOptions { DeleteDelay = TimeSpan.Zero, SweepEvery = TimeSpan.Zero }, TimeProvider.System);
        return await ShardStore.OpenReplicatedAsync(
            Shard, Path.Combine(folder, node, "shard"), storage, archive, ManifestFile.Open(Bucket, Shard), services, new ReplayMeter(), Reports.Add, CancellationToken.None, step);
    }

    public async Task<ShardManifest> ManifestAsync() => (await ManifestFile.PeekAsync(Bucket, Shard, CancellationToken.None))!;

    /// <summary>Appends samples, each series' labels only where the store does not know it, as senders do; gives the references known.</summary>
    public static async Task AppendAsync(ShardStore store, Dictionary<string, uint> known, IEnumerable<(string Name, long Time, double Value)> samples)
    {
        var batch = new SampleBatch { Incarnation = store.Incarnation };
        var carried = new List<string>();
        foreach (var (name, time, value) in samples)
        {
            var reference = known.GetValueOrDefault(name, uint.MaxValue);
            if (reference == uint.MaxValue)
            {
                var at = carried.IndexOf(name);
                if (at < 0)
                {
                    var labels = Labels.Of(("__name__", name));
                    at = batch.AddSeries(labels.Encoded, labels.Hash);
                    carried.Add(name);
                }

                reference = SampleBatch.NewSeriesFlag | (uint)at;
            }

            batch.Add(reference, time, value);
        }

        var result = store.Append(batch, long.MaxValue, out var position);
        Assert.Equal(AppendStatus.Done, result.Status);
        Assert.Empty(result.Rejections);
        await store.CommitAsync(position);
        for (var i = 0; i < carried.Count; i++)
        {
            known[carried[i]] = result.NewSeriesRefs[i];
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var one in replicas.Values)
        {
            await one.DisposeAsync();
        }

        await Bucket.DisposeAsync();
    }

    private sealed class Calls(StoreWorld world, NodeId self) : ILogTransport
    {
        public async ValueTask<ReadOnlyMemory<byte>> SendAsync(NodeId node, ReadOnlyMemory<byte> message, CancellationToken cancellation)
        {
            await Task.Yield();
            return world.silent.Contains(node) || world.silent.Contains(self) ? throw new IOException($"{node} is silent") : await world.replicas[node].AnswerAsync(message, cancellation);
        }
    }
}
