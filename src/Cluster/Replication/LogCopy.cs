namespace Metrics.Cluster;

/// <summary>Brings a node's own replica up to others: what it lacks is read from whoever has it, and checked.</summary>
/// <param name="log">Which log.</param>
/// <param name="epoch">The epoch that the own replica has promised: the new owner's, or the present one's when a node prepares to take over.</param>
/// <param name="local">The own replica.</param>
/// <param name="services">By which means.</param>
internal sealed class LogCopy(LogId log, long epoch, LogReplica local, ReplicationServices services)
{
    /// <summary>Copies records until the own replica holds all from the log's start until before <paramref name="end"/>, or as many as there are.</summary>
    /// <param name="described">The log, as the manifest describes it.</param>
    /// <param name="end">Where to end: after each record that may be acknowledged, or long.MaxValue when that is not known.</param>
    /// <param name="cancellation">Ends it; what is copied stays.</param>
    /// <exception cref="LogUnavailableException">Nobody who has a record that is needed can be reached.</exception>
    /// <exception cref="IOException">The own disk refused.</exception>
    public async Task RunAsync(ManifestLog described, long end, CancellationToken cancellation)
    {
        var held = await HeldAsync(described.History, described.Start, cancellation);
        if (held.WholeAt != 0 && end == long.MaxValue)
        {
            throw new IOException($"this node's own replica of {log} has lost records; it is copied anew when the log's end is known");
        }

        if (held.IsDamaged || held.Next < described.Start)
        {
            await local.StartAtAsync(described.Start, wholeAt: held.WholeAt == 0 ? 0 : end);
            held = await HeldAsync(described.History, described.Start, cancellation);
        }

        while (held.First > described.Start)
        {
            var from = held.BehindFirst == held.BehindNext || held.BehindNext < described.Start ? described.Start : held.BehindNext;
            held = await CopyAsync(described, from, held.First, isBehind: true, cancellation) ?? throw Unavailable(from);
        }

        while (held.Next < end)
        {
            if (await CopyAsync(described, held.Next, end, isBehind: false, cancellation) is { } further)
            {
                held = further;
            }
            else if (end < long.MaxValue)
            {
                throw Unavailable(held.Next);
            }
            else
            {
                return;
            }
        }
    }

    private async ValueTask<ReplicaAnswer> HeldAsync(EpochHistory history, long start, CancellationToken cancellation) =>
        Checked(await local.AskAsync(new BeginRequest(epoch, start, history), cancellation));

    /// <summary>Copies some records from the first node that has them; null when none has.</summary>
    private async ValueTask<ReplicaAnswer?> CopyAsync(ManifestLog described, long from, long before, bool isBehind, CancellationToken cancellation)
    {
        foreach (var member in described.Nodes)
        {
            var node = new NodeId(member);
            if (node == services.Replicas.Node || await ReadAsync(node, from, cancellation) is not { } read || read.FramesEpoch != described.History.EpochAt(from))
            {
                continue;
            }

            var count = (int)Math.Min(read.FramesCount, before - from);
            var frames = read.Frames[..Storage.LogFrames.OffsetOf(read.Frames.Span, count)];
            return Checked(await local.AskAsync(
                new AppendRequest(epoch, read.FramesEpoch, described.History.EpochAt(from - 1), from, count, frames, 0, described.Start, isBehind), cancellation));
        }

        return null;
    }

    private async ValueTask<ReplicaAnswer?> ReadAsync(NodeId node, long from, CancellationToken cancellation)
    {
        try
        {
            var options = services.Options;
            var answer = await services.Peer(log, node).AskAsync(new ReadRequest(from, options.BatchBytes), cancellation).AsTask().WaitAsync(options.RequestTimeout, services.Time, cancellation);
            if (answer.Status != ReplicaStatus.Done || answer.FramesCount == 0)
            {
                return null;
            }

            return Storage.LogFrames.Check(answer.Frames.Span, from) == answer.FramesCount ? answer : null;
        }
        catch (Exception e) when (e is IOException or TimeoutException or InvalidDataException)
        {
            return null; // Another one may have it.
        }
    }

    private ReplicaAnswer Checked(ReplicaAnswer answer) => answer.Status switch
    {
        ReplicaStatus.Done => answer,
        ReplicaStatus.Fenced => throw new EpochLostException(log.Shard, epoch, answer.Promised),
        _ => throw new IOException($"this node's own replica of {log} answered {answer.Status}"),
    };

    private LogUnavailableException Unavailable(long record) => new(log, $"nobody who can be reached has record {record}");
}

/// <summary>Too few replicas of a log can be reached to say what was acknowledged, or to acknowledge more. To be tried again.</summary>
public sealed class LogUnavailableException(LogId log, string reason) : IOException($"the log {log} is unavailable: {reason}");
