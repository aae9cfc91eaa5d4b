using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>A silo that may own shards and hold logs, as the choices of placement see it.</summary>
/// <param name="Node">Its disk.</param>
/// <param name="Zone">What it shares a fate with; empty for unknown, and silos of unknown zone share none.</param>
/// <param name="Load">How much it does, as last heard.</param>
public sealed record ShardHost(NodeId Node, string Zone, SiloLoad Load)
{
    /// <summary>Whose shards it is there for.</summary>
    public TenantPool Pool { get; init; } = TenantPool.Everybody;
}

/// <summary>How much a silo does.</summary>
/// <param name="Weight">The sum of its shards' weights (<see cref="ShardWeight"/>).</param>
/// <param name="Cpu">The share of its processors in use, 0 to 1.</param>
/// <param name="Memory">The share of its memory in use, 0 to 1.</param>
public readonly record struct SiloLoad(double Weight, double Cpu, double Memory)
{
    /// <summary>From here on a silo gets nothing that another can take, and gives away: enough is left to finish a compaction and a large query.</summary>
    public const double FullAt = 0.85;

    /// <summary>True when it lacks processors or memory.</summary>
    public bool IsFull => Cpu > FullAt || Memory > FullAt;
}

/// <summary>What a shard costs the silo that owns it, in series: so that shards can be weighed against each other.</summary>
public static class ShardWeight
{
    /// <summary>Of a shard that does nothing: its files, timers and manifest.</summary>
    public const double Idle = 500;

    /// <summary>A sample a second costs as much processor as this many series cost memory, when a machine has a GiB for each 0.3 processors: a sample each 15 s of each series makes the two equal.</summary>
    public const double PerSampleASecond = 15;

    /// <summary>The weight of a shard.</summary>
    /// <param name="headSeries">Series in its head.</param>
    /// <param name="samplesPerSecond">Samples it takes.</param>
    public static double Of(long headSeries, double samplesPerSecond) => Idle + Math.Max(headSeries, samplesPerSecond * PerSampleASecond);
}

/// <summary>Rendezvous hashing: the same order of silos for a shard everywhere, different ones for different shards, and a silo that comes or goes moves only its own share.</summary>
internal static class Rendezvous
{
    /// <summary>How well a node suits a shard, at random but always the same: FNV-1a over both names, then a finaliser (Stafford's mix 13), for FNV's high bits are poor.</summary>
    public static ulong Score(ShardId shard, NodeId node) => Score(shard.Tenant.Value, shard.Range.ToString(), node.Value);

    /// <summary>The same for anything of a tenant's that has a name.</summary>
    public static ulong Score(string tenant, string name, string node)
    {
        var hash = Mix(Mix(Mix(14695981039346656037, tenant), name), node);
        hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
        hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
        return hash ^ (hash >> 31);
    }

    private static ulong Mix(ulong hash, string text)
    {
        foreach (var c in text)
        {
            hash = (hash ^ c) * 1099511628211;
        }

        return (hash ^ 0x1f) * 1099511628211;
    }
}
