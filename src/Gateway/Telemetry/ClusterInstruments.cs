using Metrics.Cluster;

namespace Metrics.Gateway.Telemetry;

/// <summary>What the cluster tells about its tenants and shards; read when asked for.</summary>
internal static class ClusterInstruments
{
    /// <summary>Registers the families.</summary>
    public static void Register(MetricRegistry registry, ICluster cluster, TenantRanking ranking)
    {
        registry.Add(new Observed("metrics_ready", "gauge", "1 when writes and queries are served.", sink => sink.Put("", [], cluster.Progress.IsReady ? 1 : 0)));
        registry.Add(new Observed("metrics_replay_bytes", "gauge", "Log bytes to replay at start.", sink => sink.Put("", [], cluster.Progress.TotalBytes)));
        registry.Add(new Observed("metrics_replayed_bytes", "gauge", "Log bytes replayed so far.", sink => sink.Put("", [], cluster.Progress.ReplayedBytes)));
        registry.Add(new Observed("metrics_tenants", "gauge", "Tenants that are open.", sink => sink.Put("", [], cluster.Tenants.Count)));
        registry.Add(new Observed("metrics_shard_splits_total", "counter", "Splits of shards that this process ran.", sink => sink.Put("", [], cluster.Resharding.Splits)));
        registry.Add(new Observed("metrics_shard_merges_total", "counter", "Merges of shards that this process ran.", sink => sink.Put("", [], cluster.Resharding.Merges)));
        registry.Add(new Observed("metrics_shard_change_failures_total", "counter", "Splits and merges that this process ran and gave up.", sink => sink.Put("", [], cluster.Resharding.Failures)));
        PerTenant(registry, cluster, ranking, "metrics_head_series", "gauge", "Series in the heads, by tenant.", s => s.HeadSeries);
        PerTenant(registry, cluster, ranking, "metrics_head_memory_bytes", "gauge", "Memory of the heads: series, labels, index and chunks that are not on disk, by tenant.", s => s.HeadMemoryBytes);
        PerTenant(registry, cluster, ranking, "metrics_head_disk_bytes", "gauge", "Sealed chunks of the heads that were moved to disk, by tenant.", s => s.HeadDiskBytes);
        PerTenant(registry, cluster, ranking, "metrics_head_chunks", "gauge", "Chunks in the heads, by tenant.", s => s.HeadChunks);
        PerTenant(registry, cluster, ranking, "metrics_samples_appended_total", "counter", "Samples appended since the start, by tenant.", s => s.SamplesAppended);
        PerTenant(registry, cluster, ranking, "metrics_log_bytes", "gauge", "Bytes of the logs, by tenant.", s => s.LogBytes);
        PerTenant(registry, cluster, ranking, "metrics_blocks", "gauge", "Blocks, by tenant.", s => s.Blocks);
        PerTenant(registry, cluster, ranking, "metrics_block_bytes", "gauge", "Bytes of the blocks as they are stored, by tenant.", s => s.BlockBytes);
        PerTenant(registry, cluster, ranking, "metrics_newest_sample_timestamp_seconds", "gauge", "The newest sample, Unix seconds, by tenant.", s => s.NewestSampleMs, Math.Max, 1000);
        PerTenant(registry, cluster, ranking, "metrics_pending_blocks", "gauge", "Blocks that wait for their upload, by tenant.", s => s.PendingBlocks);
        PerTenant(registry, cluster, ranking, "metrics_damaged_blocks", "gauge", "Blocks set aside because their bytes are wrong, by tenant.", s => s.DamagedBlocks);
    }

    private static void PerTenant(MetricRegistry registry, ICluster cluster, TenantRanking ranking, string name, string type, string help, Func<ShardStatistics, long> read) =>
        PerTenant(registry, cluster, ranking, name, type, help, read, static (a, b) => a + b, 1);

    private static void PerTenant(
        MetricRegistry registry, ICluster cluster, TenantRanking ranking, string name, string type, string help, Func<ShardStatistics, long> read, Func<long, long, long> join, double unit) =>
        registry.Add(new Observed(name, type, help, sink =>
        {
            var shown = ranking.Shown();
            var rest = 0L;
            foreach (var tenant in cluster.Tenants)
            {
                var sum = 0L;
                foreach (var shard in tenant.Shards)
                {
                    sum = join(sum, read(shard.Statistics));
                }

                if (shown is null || shown.Contains(tenant.Id.Value))
                {
                    sink.Put("", [("tenant", tenant.Id.Value)], sum / unit);
                }
                else
                {
                    rest = join(rest, sum);
                }
            }

            if (shown is not null)
            {
                sink.Put("", [("tenant", TenantRanking.Other)], rest / unit);
            }
        }));
}
