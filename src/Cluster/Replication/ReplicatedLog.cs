using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>A shard's log on several nodes, held by its owner. A record is durable when a quorum of the ensemble has it; the protocol is written down in docs/replication.md.</summary>
/// <remarks>Closed, or failed, it acknowledges nothing more; the shard is then opened anew, here or elsewhere, with a new epoch. <see cref="Append"/> is for one thread at a time, the rest for any.</remarks>
internal sealed class ReplicatedLog : IAsyncDisposable
{
    private readonly LogTakeover takeover;
    private readonly ManifestFile manifest;
    private readonly Task keeping;

    private ReplicatedLog(LogTakeover takeover, ManifestFile manifest)
    {
        this.takeover = takeover;
        this.manifest = manifest;
        FirstOwn = takeover.Leader.Next;
        keeping = new EnsembleKeeper(takeover, manifest).RunAsync();
    }

    /// <summary>Names the log, for cuts.</summary>
    public string Lineage => takeover.Term.Log.Lineage;

    /// <summary>The number that the next record will have.</summary>
    public long NextRecord => takeover.Leader.Next;

    /// <summary>False while so much waits for its acknowledgement that writers should be turned away.</summary>
    public bool HasRoom => takeover.Leader.HasRoom;

    /// <summary>Records before this are in blocks.</summary>
    public long Start => takeover.Leader.Start;

    /// <summary>Records before this are acknowledged.</summary>
    public long Committed => takeover.Leader.Committed;

    /// <summary>The first record of this owner: those before were recovered.</summary>
    public long FirstOwn { get; }

    /// <summary>The owner's epoch.</summary>
    public long Epoch => takeover.Term.Epoch;

    /// <summary>Faults when nothing more will be acknowledged: with <see cref="EpochLostException"/> when another owner has the shard, else with what failed.</summary>
    public Task Failed => takeover.Leader.Failed.Task;

    /// <summary>The members of the ensemble.</summary>
    public IReadOnlyList<LogMember> Members => [.. takeover.Leader.Links.Select(l => new LogMember(l.Node, l.Held?.First ?? long.MaxValue, l.Match, l.Lost))];

    /// <summary>Takes over the log of a shard: fences the owner before, and recovers what it acknowledged. The manifest file's epoch becomes the highest.</summary>
    /// <exception cref="LogUnavailableException">Too few replicas can be reached.</exception>
    /// <exception cref="EpochLostException">A later owner has the shard.</exception>
    /// <exception cref="IOException">Object storage or this node's disk failed.</exception>
    public static async Task<ReplicatedLog> OpenAsync(ShardId shard, ManifestFile manifest, ReplicationServices services, CancellationToken cancellation) =>
        new(await new LogRecovery(shard, manifest, services).OpenAsync(cancellation), manifest);

    /// <summary>Copies a shard's log to this node while its owner goes on, so that little is left to copy when this node takes over.</summary>
    /// <exception cref="IOException">It can't be copied now; taking over needs this not.</exception>
    public static async Task CatchUpAsync(ShardId shard, ObjectStore.IObjectStore store, ReplicationServices services, CancellationToken cancellation)
    {
        if (await ManifestFile.PeekAsync(store, shard, cancellation) is not { Log: { } described } manifest)
        {
            return;
        }

        var log = new LogId(shard, described.Lineage);
        await new LogCopy(log, manifest.Epoch, services.Replicas.Get(log), services).RunAsync(described, long.MaxValue, cancellation);
    }

    /// <summary>Takes a record in; returns its number. It is not durable yet.</summary>
    /// <exception cref="IOException">The log failed earlier.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    public long Append(ReadOnlySpan<byte> payload) => takeover.Leader.Append(payload);

    /// <summary>Completes when all records up to a number, inclusive, are acknowledged.</summary>
    /// <exception cref="IOException">They could not be; whether they will be there after the next opening is open.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    public ValueTask WaitDurableAsync(long number) => new(takeover.Leader.CommitAsync(number));

    /// <summary>Shows a visitor the records that were recovered, in order.</summary>
    /// <exception cref="IOException">They can't be read.</exception>
    public async ValueTask ReplayAsync(ILogVisitor visitor, CancellationToken cancellation)
    {
        long position = 0;
        for (var at = Start; at < FirstOwn;)
        {
            var batch = await takeover.Leader.BatchAsync(at, FirstOwn);
            position += Show(visitor, batch, position);
            at = batch.End;
            cancellation.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Lets go of records that blocks hold: those before a number.</summary>
    /// <param name="number">Records from this on are needed; not beyond those acknowledged.</param>
    /// <param name="cancellation">Ends it; what was there before is still there.</param>
    /// <param name="checkpoint">The object that holds what later records refer to: a replica keeps no checkpoint. Null when they refer to nothing.</param>
    /// <exception cref="IOException">It could not be written down; to be called again.</exception>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    public async ValueTask TruncateBeforeAsync(long number, CancellationToken cancellation, string? checkpoint = null)
    {
        var start = Math.Min(number, Committed);
        if (start > Start)
        {
            await manifest.SwapAsync(now => now.Log is { } log && log.Start < start ? now with { Log = log.From(start) with { Checkpoint = checkpoint } } : now, cancellation);
            takeover.Leader.DropBefore(start);
        }
    }

    /// <summary>Looks whether this node's own replica has promised another owner's epoch, which an idle log would not find out otherwise; true, and failed, then.</summary>
    /// <exception cref="IOException">The replica's disk refused.</exception>
    public async ValueTask<bool> IsOvertakenAsync()
    {
        var said = await takeover.Leader.Local.AskAsync(new BeginRequest(0, 0, EpochHistory.Empty), CancellationToken.None);
        if (said.Promised > Epoch)
        {
            takeover.Leader.OnFenced(said.Promised);
        }

        return said.Promised > Epoch;
    }

    /// <summary>The host knows that a node is gone: it is replaced without waiting for its silence.</summary>
    public void OnNodeLost(NodeId node)
    {
        foreach (var link in takeover.Leader.Links.Where(l => l.Node == node))
        {
            link.Lose("its node is gone");
        }
    }

    /// <summary>Stops. What was appended and not acknowledged may or may not be there at the next opening.</summary>
    public async ValueTask DisposeAsync()
    {
        await takeover.Leader.DisposeAsync();
        await keeping;
    }

    private static long Show(ILogVisitor visitor, AppendRequest batch, long position)
    {
        var rest = batch.Frames.Span;
        for (var number = batch.First; LogFrames.TryNext(ref rest, out var payload); number++)
        {
            position += LogFrames.HeaderBytes + payload.Length;
            visitor.Visit(number, payload, position);
        }

        return batch.Frames.Length;
    }
}

/// <summary>A member of an ensemble, as its leader knows it.</summary>
/// <param name="Node">Its node.</param>
/// <param name="First">The first record it holds; later than the log's start while older ones are still being copied, long.MaxValue before it has answered.</param>
/// <param name="Match">It holds the records from there until before this.</param>
/// <param name="Lost">Why it is to be replaced, or null.</param>
internal readonly record struct LogMember(NodeId Node, long First, long Match, string? Lost);
