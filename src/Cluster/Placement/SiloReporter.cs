using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Makes a silo's reports: looks at its shards and its process, and takes rates from what it saw the last time. Not thread-safe.</summary>
/// <param name="node">What the silo holds; null when it holds no shards.</param>
/// <param name="time">The clock.</param>
/// <param name="rateOver">Over how much time rates are averaged for splits and merges.</param>
public sealed class SiloReporter(IShardNode? node, TimeProvider time, TimeSpan rateOver)
{
    private readonly SteadyRates steady = new(rateOver, time);
    private Dictionary<ShardId, long> samplesBefore = [];
    private TimeSpan cpuBefore = Environment.CpuUsage.TotalTime;
    private long lookedAt = time.GetTimestamp();

    /// <summary>The report of now.</summary>
    /// <param name="isLeaving">True when the silo gives its shards away.</param>
    /// <param name="changes">The splits and merges that it runs.</param>
    public SiloReport Report(bool isLeaving, IReadOnlyList<ShardChangeStatus> changes)
    {
        var now = time.GetTimestamp();
        var seconds = Math.Max(0.001, time.GetElapsedTime(lookedAt, now).TotalSeconds);
        var cpu = Environment.CpuUsage.TotalTime;
        var cpuShare = (cpu - cpuBefore).TotalSeconds / seconds / Environment.ProcessorCount;
        var samples = new Dictionary<ShardId, long>();
        var shards = new List<ShardReport>();
        var open = node?.Shards ?? [];
        steady.Look(open.Where(static s => s.State == ShardState.Open).Select(static s => (s.Shard, s.Statistics.SamplesAppended)));
        foreach (var status in open)
        {
            var all = status.Statistics.SamplesAppended;
            samples[status.Shard] = all;
            var rate = samplesBefore.TryGetValue(status.Shard, out var before) && all >= before ? (all - before) / seconds : 0;
            shards.Add(Report(status, rate, steady.Of(status.Shard)));
        }

        (samplesBefore, cpuBefore, lookedAt) = (samples, cpu, now);
        var memory = Environment.WorkingSet;
        var available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return new SiloReport(node?.Id.Value ?? "", isLeaving, Math.Clamp(cpuShare, 0, 1), available > 0 ? Math.Clamp((double)memory / available, 0, 1) : 0, memory, shards, changes.Count > 0 ? changes : null);
    }

    private static ShardReport Report(ShardStatus status, double samplesPerSecond, (double SamplesPerSecond, TimeSpan Observed) average) => new(
        status.Shard.Tenant.Value, status.Shard.Range.ToString(), status.State, status.Epoch, status.NextRecord, status.Committed,
        [.. status.Followers.Select(static f => new FollowerReport(f.Node.Value, f.Lag, f.IsWhole, f.Lost))], status.Replay.Done, status.Replay.All, status.Statistics.HeadSeries, status.Statistics.Blocks,
        status.Statistics.LogBytes, samplesPerSecond, average.SamplesPerSecond, average.Observed.TotalSeconds);
}
