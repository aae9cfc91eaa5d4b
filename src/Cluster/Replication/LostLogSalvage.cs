using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Makes blocks of records, for <see cref="LostLogSalvage"/>.</summary>
internal interface ISalvagedRecords : ILogVisitor, IDisposable
{
    /// <summary>Finishes a block of what was shown, in object storage; gives the change that makes it live.</summary>
    ValueTask<Func<ShardManifest, ShardManifest>> FinishAsync(CancellationToken cancellation);
}

/// <summary>Brings back what can be found of logs that were given up for lost: each member that turns up is read once, what it has becomes a block, and one swap makes that live and crosses the member off.</summary>
/// <param name="shard">Whose logs.</param>
/// <param name="manifest">The owner's hold on the manifest.</param>
/// <param name="services">By which means.</param>
/// <param name="begin">Begins a block of records of a lost log.</param>
internal sealed class LostLogSalvage(ShardId shard, ManifestFile manifest, ReplicationServices services, Func<LostLog, CancellationToken, ValueTask<ISalvagedRecords>> begin)
{
    /// <summary>Tries each member of each lost log; gives how many were crossed off.</summary>
    /// <exception cref="EpochLostException">A later owner has the shard.</exception>
    /// <exception cref="IOException">Object storage failed; to be called again.</exception>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        var found = 0;
        foreach (var lost in manifest.Current.LostLogs)
        {
            foreach (var member in lost.Members)
            {
                if (await SalvageAsync(lost.Lineage, new NodeId(member), cancellation))
                {
                    found++;
                }
            }
        }

        return found;
    }

    private async Task<bool> SalvageAsync(string lineage, NodeId node, CancellationToken cancellation)
    {
        var lost = manifest.Current.LostLogs.First(l => l.Lineage == lineage);
        var peer = services.Peer(new LogId(shard, lineage), node);
        if (await TryAskAsync(peer, new BeginRequest(manifest.Current.Epoch, lost.Start, lost.History), cancellation) is not { Status: ReplicaStatus.Done } held)
        {
            return false;
        }

        using var records = await begin(lost, cancellation);
        var end = held.First;
        foreach (var (first, next) in new[] { (held.BehindFirst, held.BehindNext), (held.First, held.Next) })
        {
            if (await ReadAsync(peer, Math.Max(first, lost.Start), next, records, cancellation) is not { } read)
            {
                return false;
            }

            end = Math.Max(first, read);
        }

        var publish = await records.FinishAsync(cancellation);
        var isWhole = held.First <= lost.Start;
        await manifest.SwapAsync(now => publish(now) with { LostLogs = [.. CrossedOff(now.LostLogs, lineage, node, isWhole ? end : lost.Start)] }, cancellation);
        services.Report($"shard {shard}: {node} had records {Math.Max(held.First, lost.Start)} to {end} of the lost log {lineage}; they are in a block now");
        return true;
    }

    /// <summary>Shows the records from one until before another; gives where it ended, or null when the node fell silent.</summary>
    private async Task<long?> ReadAsync(ILogPeer peer, long from, long before, ISalvagedRecords records, CancellationToken cancellation)
    {
        var at = from;
        while (at < before)
        {
            switch (await TryAskAsync(peer, new ReadRequest(at, services.Options.BatchBytes), cancellation))
            {
                case { Status: ReplicaStatus.Done, FramesCount: > 0 } read:
                    Show(records, read, at);
                    at += read.FramesCount;
                    break;
                case { Status: ReplicaStatus.Damaged }:
                    return at; // What can be read of it is all there will ever be.
                default:
                    return null;
            }
        }

        return at;
    }

    private static void Show(ISalvagedRecords records, ReplicaAnswer read, long at)
    {
        LogFrames.Check(read.Frames.Span, at);
        var rest = read.Frames.Span;
        while (LogFrames.TryNext(ref rest, out var payload))
        {
            records.Visit(at++, payload, 0);
        }
    }

    private async ValueTask<ReplicaAnswer?> TryAskAsync(ILogPeer peer, ReplicaRequest request, CancellationToken cancellation)
    {
        try
        {
            return await peer.AskAsync(request, cancellation).AsTask().WaitAsync(services.Options.RequestTimeout, services.Time, cancellation);
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            return null;
        }
    }

    private static IEnumerable<LostLog> CrossedOff(IReadOnlyList<LostLog> logs, string lineage, NodeId node, long start)
    {
        foreach (var log in logs)
        {
            var left = log.Lineage == lineage ? log with { Start = Math.Max(log.Start, start), Members = [.. log.Members.Where(m => m != node.Value)] } : log;
            if (left.Members.Count > 0)
            {
                yield return left;
            }
        }
    }
}
