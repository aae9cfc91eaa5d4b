using System.Diagnostics;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Storage;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests.Nodes;

/// <summary>Nodes in one process on folders of their own, with messages that are method calls and a bucket that is a folder. A node that is cut off can neither call, nor be called, nor reach the bucket.</summary>
internal sealed class NodeWorld : IAsyncDisposable
{
    public static readonly ShardId Shard = new(TenantId.Parse("t"), HashRange.Everything);

    private readonly string root = Directory.CreateTempSubdirectory("nodes").FullName;
    private readonly Dictionary<NodeId, ShardNode> nodes = [];
    private readonly HashSet<NodeId> cutOff = [];
    private readonly Dictionary<NodeId, string> folders = [];
    private readonly IObjectStore bucket;

    public NodeWorld() => bucket = FileSystemObjectStore.Open(Path.Combine(root, "bucket"), TimeProvider.System);

    /// <summary>What the nodes reported.</summary>
    public List<string> Reports { get; } = [];

    public IObjectStore Bucket => bucket;

    /// <summary>Starts a node on a folder.</summary>
    public ShardNode Start(string name, int factor, TimeSpan? grace = null, ArchiveOptions? archive = null, TimeSpan? acknowledgeWithin = null)
    {
        var storage = new StorageOptions { DataDirectory = Path.Combine(root, name), Fsync = FsyncPolicy.Never, ShardsPerTenant = 2, MaxFuture = TimeSpan.Zero, Archive = archive ?? new ArchiveOptions() };
        var replication = new ReplicationOptions
        {
            Factor = factor,
            RequestTimeout = TimeSpan.FromSeconds(5),
            LostAfter = TimeSpan.FromSeconds(5),
            AcknowledgeWithin = acknowledgeWithin ?? TimeSpan.FromSeconds(60),
            RetryAfter = TimeSpan.FromMilliseconds(10),
            RepairEvery = TimeSpan.FromMilliseconds(20),
            OpenTimeout = TimeSpan.FromMilliseconds(200),
            Grace = grace ?? TimeSpan.FromMinutes(10),
        };
        var outlet = new Outlet(this);
        var node = ShardNode.Open(storage, replication, new EngineOptions(), outlet, outlet, (_, _) => Alive(outlet.Node), TimeProvider.System, Report);
        outlet.Node = node.Id;
        lock (nodes)
        {
            nodes[node.Id] = node;
            folders[node.Id] = name;
        }

        return node;
    }

    /// <summary>Cuts a node off: to the others it is dead, and all it does is in vain.</summary>
    public void CutOff(ShardNode node)
    {
        lock (nodes)
        {
            cutOff.Add(node.Id);
        }
    }

    /// <summary>Lets a node back in.</summary>
    public void Rejoin(ShardNode node)
    {
        lock (nodes)
        {
            cutOff.Remove(node.Id);
        }
    }

    /// <summary>Opens the shard on another node after its owner was cut off. That one's last swap of the manifest may still be on its way: who comes between is refused, and asks again.</summary>
    public static async Task TakeOverAsync(ShardNode node)
    {
        for (var deadline = Stopwatch.StartNew(); ;)
        {
            try
            {
                await node.OpenShardAsync(Shard, CancellationToken.None);
                return;
            }
            catch (ShardUnavailableException) when (deadline.Elapsed < TimeSpan.FromSeconds(60))
            {
                await Task.Delay(5, CancellationToken.None);
            }
        }
    }

    /// <summary>The shard as a gateway sees it whose calls go to a node.</summary>
    public RemoteShard At(ShardNode node) => At(node, Shard);

    /// <summary>The same of another shard.</summary>
    public RemoteShard At(ShardNode node, ShardId shard) => new(shard, new Channel(node, shard), bucket, new HastyTime());

    /// <summary>The labels of a series that is written.</summary>
    public static Labels LabelsOf(string name) => Labels.Of(("__name__", name), ("job", "test"));

    /// <summary>Writes one sample a series, with labels.</summary>
    public static async Task<AppendResult> WriteAsync(IShard shard, long timeMs, double value, params string[] names)
    {
        var batch = new SampleBatch();
        foreach (var name in names)
        {
            var labels = LabelsOf(name);
            batch.Add(SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash), timeMs, value);
        }

        var result = await shard.AppendAsync(batch, CancellationToken.None);
        Assert.Equal(AppendStatus.Done, result.Status);
        Assert.Equal(names.Length, result.Accepted);
        return result;
    }

    /// <summary>Writes one sample a series, by references.</summary>
    public static async Task WriteAsync(IShard shard, AppendResult known, long timeMs, double value)
    {
        var batch = new SampleBatch { Incarnation = known.Incarnation };
        foreach (var reference in known.NewSeriesRefs)
        {
            batch.Add(reference, timeMs, value);
        }

        Assert.Equal(AppendStatus.Done, (await shard.AppendAsync(batch, CancellationToken.None)).Status);
    }

    /// <summary>All samples there are, as text, in order.</summary>
    public static async Task<List<string>> ReadAsync(IShard shard)
    {
        var found = new List<string>();
        await foreach (var series in shard.ReadAsync([new Matcher(MatchType.Regex, "__name__", ".+")], TimeRange.All, CancellationToken.None))
        {
            for (var i = 0; i < series.Samples.Count; i++)
            {
                found.Add($"{series.Labels["__name__"]}@{series.Samples.Times[i]}={series.Samples.Values[i]}");
            }
        }

        return found;
    }

    /// <summary>The files of a tenant's replicas on a node.</summary>
    public IReadOnlyList<string> ReplicasOf(ShardNode node, TenantId tenant)
    {
        var folder = Path.Combine(root, folders[node.Id], "replicas", tenant.Value);
        return Directory.Exists(folder) ? Directory.GetFiles(folder, "*", SearchOption.AllDirectories) : [];
    }

    /// <summary>The manifest of the shard.</summary>
    public Task<ShardManifest> ManifestAsync() => ManifestAsync(Shard);

    /// <summary>The manifest of another shard.</summary>
    public async Task<ShardManifest> ManifestAsync(ShardId shard) => (await ManifestFile.PeekAsync(bucket, shard, CancellationToken.None))!;

    /// <summary>Waits until something is so; fails when it takes longer than anything here can.</summary>
    public static async Task UntilAsync(Func<bool> isSo, string what)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!isSo())
        {
            Assert.False(deadline.IsCancellationRequested, $"it did not happen: {what}");
            await Task.Delay(5, CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in nodes.Values)
        {
            await node.DisposeAsync();
        }

        await bucket.DisposeAsync();
        Directory.Delete(root, recursive: true);
    }

    private void Report(string text)
    {
        lock (Reports)
        {
            Reports.Add(text);
        }
    }

    private List<NodeId> Alive(NodeId but)
    {
        lock (nodes)
        {
            return [.. nodes.Keys.Where(n => n != but && !cutOff.Contains(n)).Order()];
        }
    }

    private ShardNode? Reach(NodeId from, NodeId to)
    {
        lock (nodes)
        {
            return cutOff.Contains(from) || cutOff.Contains(to) ? null : nodes.GetValueOrDefault(to);
        }
    }

    private bool IsCutOff(NodeId node)
    {
        lock (nodes)
        {
            return cutOff.Contains(node);
        }
    }

    /// <summary>A node's ways to the others and to the bucket.</summary>
    private sealed class Outlet(NodeWorld world) : ILogTransport, IObjectStore
    {
        public NodeId Node { get; set; }

        public string Name => world.bucket.Name;

        private IObjectStore Bucket => world.IsCutOff(Node) ? throw new ObjectStoreException("the bucket can't be reached") : world.bucket;

        public async ValueTask<ReadOnlyMemory<byte>> SendAsync(NodeId node, ReadOnlyMemory<byte> message, CancellationToken cancellation)
        {
            await Task.Yield();
            var to = world.Reach(Node, node) ?? throw new IOException($"{node} can't be reached");
            var answer = await to.AnswerLogAsync(message, cancellation);
            return world.Reach(node, Node) is null ? throw new IOException($"{node} fell silent") : answer;
        }

        public ValueTask<ObjectInfo?> FindAsync(string key, CancellationToken cancellation) => Bucket.FindAsync(key, cancellation);

        public ValueTask<StoredObject?> GetAsync(string key, int maxBytes, CancellationToken cancellation) => Bucket.GetAsync(key, maxBytes, cancellation);

        public ValueTask<int> ReadAsync(string key, long offset, Memory<byte> into, CancellationToken cancellation) => Bucket.ReadAsync(key, offset, into, cancellation);

        public ValueTask<ObjectVersion> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellation) => Bucket.PutAsync(key, content, condition, cancellation);

        public ValueTask UploadAsync(string key, string path, CancellationToken cancellation) => Bucket.UploadAsync(key, path, cancellation);

        public ValueTask DeleteAsync(string key, CancellationToken cancellation) => Bucket.DeleteAsync(key, cancellation);

        public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellation) => Bucket.ListAsync(prefix, cancellation);

        public IAsyncEnumerable<string> ListFoldersAsync(string prefix, CancellationToken cancellation) => Bucket.ListFoldersAsync(prefix, cancellation);

        public string? LocalPath(string key) => world.bucket.LocalPath(key);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class Channel(ShardNode node, ShardId shard) : IShardChannel
    {
        public ValueTask<ReadOnlyMemory<byte>> CallAsync(ReadOnlyMemory<byte> call, CancellationToken cancellation) => node.AnswerShardAsync(shard, call, cancellation);
    }

    /// <summary>A clock on which nobody waits: a question that is asked again is asked again at once.</summary>
    private sealed class HastyTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? TimeSpan.FromMilliseconds(1) : dueTime, period);
    }
}
