using System.Collections.Concurrent;
using Metrics.Grains;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Microsoft.Extensions.DependencyInjection;
using Orleans.TestingHost;
using Xunit;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>Silos in this process, each with a node on a folder of its own, over one bucket in memory.</summary>
internal sealed class SiloCluster : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("metrics-silos-").FullName;
    private readonly MemoryObjectStore bucket = new(TimeProvider.System);
    private readonly ConcurrentDictionary<string, ShardNode> nodes = new();
    private readonly ConcurrentDictionary<string, string> dataOf = new();
    private readonly ConcurrentDictionary<string, OrleansCluster> gateways = new();
    private readonly ConcurrentDictionary<string, NodeId> nodeOf = new();
    private readonly InProcessTestCluster cluster;
    private int opened;

    private SiloCluster(short silos, int replicationFactor, int shardsPerTenant, SiloOptions options, ArchiveOptions archive, Func<int, string> pools)
    {
        var builder = new InProcessTestClusterBuilder(silos);
        builder.ConfigureSilo((_, silo) =>
        {
            var transport = new SiloLogTransport();
            var number = Interlocked.Increment(ref opened);
            var data = Path.Combine(folder, $"silo{number}");
            var node = ShardNode.Open(
                new StorageOptions { DataDirectory = data, ShardsPerTenant = shardsPerTenant, Archive = archive }, new ReplicationOptions { Factor = replicationFactor }, new EngineOptions(), bucket,
                transport, transport.Followers, TimeProvider.System, static _ => { });
            nodes[node.Id.Value] = node;
            dataOf[node.Id.Value] = data;
            silo.UseShards(new SiloContext(new SiloCard(node.Id, "", "127.0.0.1:0") { Pool = TenantPool.Parse(pools(number)) }, bucket, node, data, node.Maps, options), transport);
        });
        cluster = builder.Build();
    }

    /// <summary>The silos that run.</summary>
    public IReadOnlyList<InProcessSiloHandle> Silos => [.. cluster.GetActiveSilos()];

    public static async Task<SiloCluster> StartAsync(short silos, int replicationFactor, int shardsPerTenant = 4, ReshardingOptions? resharding = null, SiloOptions? options = null, ArchiveOptions? archive = null, Func<int, string>? pools = null)
    {
        options ??= new SiloOptions { ReportEvery = TimeSpan.FromMilliseconds(300), BalanceEvery = TimeSpan.Zero, Resharding = resharding ?? new ReshardingOptions { Every = TimeSpan.Zero } };
        var started = new SiloCluster(silos, replicationFactor, shardsPerTenant, options, archive ?? new ArchiveOptions(), pools ?? (static _ => ""));
        await started.cluster.DeployAsync();
        return started;
    }

    /// <summary>The cluster as a silo's gateway has it.</summary>
    public OrleansCluster Gateway(InProcessSiloHandle silo) => gateways.GetOrAdd(silo.SiloAddress.ToParsableString(), _ => new OrleansCluster(cluster.GetSiloServiceProvider(silo.SiloAddress)));

    /// <summary>A silo's node.</summary>
    public ShardNode Node(InProcessSiloHandle silo) => nodes[NodeOf(silo).Value];

    /// <summary>The name of a silo's node.</summary>
    public NodeId NodeOf(InProcessSiloHandle silo) => nodeOf.GetOrAdd(silo.SiloAddress.ToParsableString(), _ => cluster.GetSiloServiceProvider(silo.SiloAddress).GetRequiredService<SiloContext>().Card.Node);

    /// <summary>The tenants that a silo is kept for.</summary>
    public string PoolOf(InProcessSiloHandle silo) => Of<SiloContext>(silo).Card.Pool.ToString();

    /// <summary>A silo's data folder.</summary>
    public string DataOf(InProcessSiloHandle silo) => dataOf[NodeOf(silo).Value];

    /// <summary>The keys in the bucket that start like this.</summary>
    public async Task<List<string>> KeysAsync(string prefix)
    {
        var keys = new List<string>();
        await foreach (var item in bucket.ListAsync(prefix, default))
        {
            keys.Add(item.Key);
        }

        return keys;
    }

    /// <summary>Something of a silo.</summary>
    public T Of<T>(InProcessSiloHandle silo)
        where T : notnull => cluster.GetSiloServiceProvider(silo.SiloAddress).GetRequiredService<T>();

    /// <summary>The silo that owns a shard.</summary>
    public InProcessSiloHandle OwnerOf(ShardId shard) => Silos.Single(s => Node(s).Find(shard) is not null);

    /// <summary>Ends a silo at once; nothing is handed over.</summary>
    public Task KillAsync(InProcessSiloHandle silo) => cluster.KillSiloAsync(silo);

    /// <summary>Ends a silo in order.</summary>
    public Task StopAsync(InProcessSiloHandle silo) => cluster.StopSiloAsync(silo);

    /// <summary>Writes one sample of each of many series; tries again while shards are on their way.</summary>
    public async Task WriteAsync(InProcessSiloHandle through, TenantId tenant, int series, long timeMs, double value)
    {
        var target = await Gateway(through).OpenTenantAsync(tenant, default);
        foreach (var shard in target.Shards)
        {
            var end = DateTime.UtcNow.AddSeconds(60);
            while (true)
            {
                try
                {
                    var batch = new SampleBatch();
                    for (var i = 0; i < series; i++)
                    {
                        var labels = Labels.Of(("__name__", "m"), ("i", $"{i}"));
                        if (shard.Id.Range.Contains(labels.Hash))
                        {
                            batch.Add(SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash), timeMs, value);
                        }
                    }

                    Assert.Equal(AppendStatus.Done, (await shard.AppendAsync(batch, default)).Status);
                    break;
                }
                catch (ShardUnavailableException) when (DateTime.UtcNow < end)
                {
                    await Task.Delay(100);
                }
            }
        }
    }

    /// <summary>Every sample of a tenant as a silo's gateway reads it: series, time, value.</summary>
    public async Task<SortedDictionary<(string Series, long Time), double>> ReadAsync(InProcessSiloHandle through, TenantId tenant)
    {
        var found = new SortedDictionary<(string, long), double>();
        foreach (var shard in (await Gateway(through).OpenTenantAsync(tenant, default)).Shards)
        {
            await foreach (var series in shard.ReadAsync([new Matcher(Model.MatchType.Equal, "__name__", "m")], TimeRange.All, default))
            {
                for (var i = 0; i < series.Samples.Count; i++)
                {
                    found.Add((series.Labels.ToString(), series.Samples.Times[i]), series.Samples.Values[i]);
                }
            }
        }

        return found;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var gateway in gateways.Values)
        {
            await gateway.DisposeAsync();
        }

        await cluster.DisposeAsync();
        foreach (var node in nodes.Values)
        {
            await node.DisposeAsync();
        }

        Directory.Delete(folder, recursive: true);
    }
}
