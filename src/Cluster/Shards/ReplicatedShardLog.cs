using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>The log of a shard on several nodes, with its checkpoint in object storage, where the next owner finds it whatever node that is on.</summary>
/// <remarks>A checkpoint goes up under a name that no other owner uses, then one swap names it together with the log's new start, then the one before is removed: what the manifest names is always there.</remarks>
internal sealed class ReplicatedShardLog : IShardLog
{
    private const string LocalName = "checkpoint";

    private readonly ShardId shard;
    private readonly string folder;
    private readonly IObjectStore store;
    private readonly ManifestFile manifest;
    private readonly ReplicatedLog log;
    private readonly TimeSpan patience;
    private readonly TimeSpan acknowledgeWithin;
    private readonly TimeProvider time;
    private long bytes;
    private long truncatedBytes;
    private long givenUp = -1;

    /// <summary>Makes the log.</summary>
    /// <param name="shard">Whose.</param>
    /// <param name="folder">The shard's folder, for checkpoints on their way.</param>
    /// <param name="store">Where checkpoints go.</param>
    /// <param name="manifest">The owner's hold on the manifest.</param>
    /// <param name="log">The log, taken over; disposed with this.</param>
    /// <param name="services">How it is replicated.</param>
    public ReplicatedShardLog(ShardId shard, string folder, IObjectStore store, ManifestFile manifest, ReplicatedLog log, ReplicationServices services)
    {
        patience = services.Options.RequestTimeout;
        acknowledgeWithin = services.Options.AcknowledgeWithin;
        time = services.Time;
        this.shard = shard;
        this.folder = folder;
        this.store = store;
        this.manifest = manifest;
        this.log = log;
    }

    /// <inheritdoc/>
    public string Lineage => log.Lineage;

    /// <inheritdoc/>
    public long NextRecord => log.NextRecord;

    /// <summary>Bytes of the records that were appended or replayed here, less those of a like number that were let go of: an estimate.</summary>
    public long Bytes => Volatile.Read(ref bytes) - Volatile.Read(ref truncatedBytes);

    /// <inheritdoc/>
    public bool HasRoom => log.HasRoom && (Volatile.Read(ref givenUp) is var number && (number < 0 || number < log.Committed));

    /// <inheritdoc/>
    public Task Failed => log.Failed;

    /// <summary>The log as its protocol sees it.</summary>
    public ReplicatedLog Replicated => log;

    private string LocalPath => Path.Combine(folder, LocalName);

    /// <inheritdoc/>
    public long Append(ReadOnlySpan<byte> payload)
    {
        var number = log.Append(payload);
        Volatile.Write(ref bytes, bytes + payload.Length);
        return number;
    }

    /// <inheritdoc/>
    public ValueTask WaitDurableAsync(long number) => log.WaitDurableAsync(number);

    /// <inheritdoc/>
    public async ValueTask CommitAsync(long number)
    {
        try
        {
            await log.WaitDurableAsync(number).AsTask().WaitAsync(acknowledgeWithin, time);
        }
        catch (TimeoutException e)
        {
            Volatile.Write(ref givenUp, number);
            throw new TimeoutException($"too few replicas of its log have acknowledged within {acknowledgeWithin.TotalSeconds:0.###} s; whether the samples are held is open", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask ReplayAsync(ILogVisitor visitor, long from, Action<string> report, CancellationToken cancellation)
    {
        if (from == 0 && manifest.Current.Log?.Checkpoint is { } checkpoint)
        {
            await CheckpointObject.ShowAsync(store, checkpoint, LocalPath, visitor, report, cancellation);
        }

        await log.ReplayAsync(new Counting(visitor, from, this), cancellation);
    }

    /// <inheritdoc/>
    public void Rename() => throw new ReplicationInvariantException($"blocks of shard {shard} cover records of the log {Lineage} that it does not have");

    /// <inheritdoc/>
    public ValueTask TruncateBeforeAsync(long number, Action<LogCheckpointWriter> writeSeries, CancellationToken cancellation)
    {
        if (number <= log.Start)
        {
            return ValueTask.CompletedTask;
        }

        File.Delete(LocalPath);
        LogCheckpoint.Write(LocalPath, writeSeries);
        return TruncateAsync(number, cancellation);
    }

    /// <summary>Waits a little for what was appended to be acknowledged, so that a shard that is handed over refuses none of it, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await log.WaitDurableAsync(log.NextRecord - 1).AsTask().WaitAsync(patience, time);
        }
        catch (Exception e) when (e is IOException or EpochLostException or TimeoutException)
        {
            // Who waits for it is told by the log itself.
        }

        await log.DisposeAsync();
    }

    private async ValueTask TruncateAsync(long number, CancellationToken cancellation)
    {
        var (before, next) = (log.Start, log.NextRecord);
        var key = BucketKeys.Checkpoint(shard, log.Epoch, number);
        await store.UploadAsync(key, LocalPath, cancellation);
        await log.TruncateBeforeAsync(number, cancellation, key);
        Volatile.Write(ref truncatedBytes, truncatedBytes + (long)(Bytes * ((double)(log.Start - before) / Math.Max(1, next - before))));
        File.Delete(LocalPath);
        await RemoveOldAsync(cancellation);
    }

    /// <summary>Removes checkpoints that nothing names, those that a crash left too. Not those of later epochs: this owner may have been overtaken and not know.</summary>
    private async ValueTask RemoveOldAsync(CancellationToken cancellation)
    {
        var now = manifest.Current;
        var newest = BucketKeys.Checkpoint(shard, log.Epoch, long.MaxValue);
        var old = new List<string>();
        await foreach (var found in store.ListAsync(BucketKeys.Checkpoints(shard), cancellation))
        {
            if (string.CompareOrdinal(found.Key, newest) < 0 && found.Key != now.Log?.Checkpoint && !now.LostLogs.Any(l => l.Checkpoint == found.Key))
            {
                old.Add(found.Key);
            }
        }

        foreach (var key in old)
        {
            await store.DeleteAsync(key, cancellation);
        }
    }

    private sealed class Counting(ILogVisitor visitor, long from, ReplicatedShardLog log) : ILogVisitor
    {
        public void Visit(long number, ReadOnlySpan<byte> payload, long position)
        {
            log.bytes += payload.Length;
            if (number >= from)
            {
                visitor.Visit(number, payload, position);
            }
        }
    }
}
