using System.Buffers;
using System.Collections.Concurrent;

namespace Metrics.Cluster;

/// <summary>Writes requests of one tenant: keeps its series cache and the pool of partitioners. One for each tenant; thread-safe.</summary>
public sealed class TenantWriter
{
    private readonly ConcurrentBag<IDisposable> idle = [];
    private readonly int maxIdle = 2 * Environment.ProcessorCount;
    private readonly int maxCachedSeries;
    private readonly TimeProvider time;
    private Route route;

    /// <summary>Makes a writer. <paramref name="maxCachedSeries"/> bounds the series cache, 32 bytes an entry; it grows as series come, and forgets those that stay away. <paramref name="rewrite"/> changes labels; null for none. <paramref name="time"/> is the system's unless it is given.</summary>
    public TenantWriter(ITenant tenant, LabelLimits limits, int maxCachedSeries = 1 << 22, ISeriesRewrite? rewrite = null, TimeProvider? time = null)
    {
        Rewrite = rewrite;
        Tenant = tenant;
        Limits = limits;
        this.maxCachedSeries = maxCachedSeries;
        this.time = time ?? TimeProvider.System;
        route = new Route(tenant.Shards, maxCachedSeries, this.time);
    }

    /// <summary>The tenant written to.</summary>
    public ITenant Tenant { get; }

    /// <summary>Bounds on labels.</summary>
    public LabelLimits Limits { get; }

    /// <summary>What changes the labels of new series; null when they are stored as they come.</summary>
    public ISeriesRewrite? Rewrite { get; }

    /// <summary>The bytes the series cache takes.</summary>
    public long CacheBytes => Volatile.Read(ref route).Cache.Bytes;

    internal SeriesFingerprint Fingerprint { get; init; } = SeriesFingerprint.OfProcess;

    /// <summary>Starts a request. The body must stay as it is until the partitioner is disposed. <paramref name="gate"/> may leave it out as a whole; null for none.</summary>
    public BatchPartitioner<TFormat> Begin<TFormat>(ReadOnlyMemory<byte> body, ISeriesGate? gate = null)
        where TFormat : struct, ILabelFormat
    {
        var partitioner = idle.TryTake(out var pooled) && pooled is BatchPartitioner<TFormat> fitting ? fitting : new BatchPartitioner<TFormat>(this);
        partitioner.Start(CurrentRoute(), body, gate);
        return partitioner;
    }

    internal void Return(IDisposable partitioner)
    {
        if (idle.Count < maxIdle)
        {
            idle.Add(partitioner);
        }
    }

    /// <summary>The route by the map in force.</summary>
    internal Route CurrentRoute()
    {
        var current = Volatile.Read(ref route);
        var shards = Tenant.Shards;
        if (!ReferenceEquals(current.Shards, shards))
        {
            // The shard map changed, and with it what the cached shard numbers mean.
            current = new Route(shards, maxCachedSeries, time);
            Volatile.Write(ref route, current);
        }

        current.Cache.Advance();
        return current;
    }

    /// <summary>One version of the shard map and what is cached under it.</summary>
    internal sealed class Route
    {
        private readonly ulong[] firsts;

        /// <summary>Takes the shards, ascending by range.</summary>
        public Route(IReadOnlyList<IShard> shards, int maxCachedSeries, TimeProvider time)
        {
            Shards = shards;
            Cache = new SeriesCache(shards.Count, maxCachedSeries, time);
            firsts = new ulong[shards.Count];
            for (var i = 0; i < firsts.Length; i++)
            {
                firsts[i] = shards[i].Id.Range.First;
            }
        }

        /// <summary>The shards, ascending by range.</summary>
        public IReadOnlyList<IShard> Shards { get; }

        /// <summary>The series known.</summary>
        public SeriesCache Cache { get; }

        /// <summary>Notes the references that a shard gave to the series which a part carried.</summary>
        public void Remember(int shard, ShardPart part, AppendResult result)
        {
            if (result.NewSeriesRefs.Length == 0)
            {
                return;
            }

            var entries = ArrayPool<(UInt128, uint)>.Shared.Rent(part.RunCount);
            var count = 0;
            foreach (ref readonly var run in part.Runs)
            {
                if (run.NewSeries >= 0 && run.NewSeries < result.NewSeriesRefs.Length && result.NewSeriesRefs[run.NewSeries] != AppendResult.NoRef)
                {
                    entries[count++] = (run.Fingerprint, result.NewSeriesRefs[run.NewSeries]);
                }
            }

            Cache.Add(shard, Cache.Observe(shard, result.Incarnation), entries.AsSpan(0, count));
            ArrayPool<(UInt128, uint)>.Shared.Return(entries);
        }

        /// <summary>The shard that owns a hash.</summary>
        public int ShardOf(ulong hash)
        {
            var at = Array.BinarySearch(firsts, hash);
            return at >= 0 ? at : ~at - 1;
        }
    }
}
