using Metrics.Cluster;
using Metrics.Storage;

namespace Metrics.Simulation;

/// <summary>A replica's store on a simulated disk: each operation takes time, and a crash finds it done, not done, or half done.</summary>
internal sealed class SimReplicaStore : IReplicaStore
{
    private readonly SimReplicaFiles files;
    private readonly SimScheduler scheduler;
    private readonly SimFaults faults;
    private readonly TimeProvider time;
    private readonly bool syncs;

    private SimReplicaStore(SimReplicaFiles files, SimScheduler scheduler, SimFaults faults, TimeProvider time, bool syncs)
    {
        this.files = files;
        this.scheduler = scheduler;
        this.faults = faults;
        this.time = time;
        this.syncs = syncs;
        files.HasDamage |= DropRotten(files.Log) | DropRotten(files.Behind);
    }

    /// <inheritdoc/>
    public ReplicaState State => files.State;

    /// <inheritdoc/>
    public long First => files.First;

    /// <inheritdoc/>
    public long Next => files.Next;

    /// <inheritdoc/>
    public long BehindFirst => files.BehindFirst;

    /// <inheritdoc/>
    public long BehindNext => files.BehindNext;

    /// <inheritdoc/>
    public bool OpenedDamaged => files.HasDamage;

    /// <summary>Opens a store; what is rotten is cut off, as a log does it.</summary>
    /// <param name="files">What the disk holds.</param>
    /// <param name="scheduler">The scheduler.</param>
    /// <param name="faults">The faults.</param>
    /// <param name="time">The node's clock.</param>
    /// <param name="syncs">False for a disk that says it has synced and has not.</param>
    public static async ValueTask<IReplicaStore> OpenAsync(SimReplicaFiles files, SimScheduler scheduler, SimFaults faults, TimeProvider time, bool syncs)
    {
        var opened = new SimReplicaStore(files, scheduler, faults, time, syncs);
        await opened.WorkAsync();
        if (syncs)
        {
            files.Log.Concat(files.Behind).ToList().ForEach(r => r.IsSynced = true);
        }

        return opened;
    }

    /// <inheritdoc/>
    public ValueTask SaveAsync(ReplicaState state)
    {
        if (state.Promised < files.State.Promised)
        {
            faults.Violate($"epoch {files.State.Promised} was promised, and now {state.Promised} is");
        }

        return DoAsync(() => files.State = state);
    }

    /// <inheritdoc/>
    public async ValueTask AppendAsync(long first, int count, ReadOnlyMemory<byte> frames, bool behind)
    {
        var to = behind ? files.Behind : files.Log;
        if (behind && to.Count == 0)
        {
            files.BehindFirst = first;
        }

        if (first != (behind ? files.BehindNext : files.Next))
        {
            throw new InvalidOperationException($"record {first} appended at {(behind ? files.BehindNext : files.Next)}");
        }

        var written = Split(frames, count);
        if (scheduler.Chance(faults.DiskErrors))
        {
            faults.Count("disk full");
            to.AddRange(written.Take(scheduler.Random.Next(count)));
            throw new IOException("the disk is full");
        }

        foreach (var record in written)
        {
            to.Add(record);
        }

        await WorkAsync();
        if (syncs)
        {
            written.ForEach(r => r.IsSynced = true);
        }

        if (behind && files.BehindNext == files.First)
        {
            await DoAsync(() =>
            {
                (files.First, files.Log) = (files.BehindFirst, [.. files.Behind, .. files.Log]);
                (files.BehindFirst, files.Behind) = (0, []);
            });
        }
    }

    /// <inheritdoc/>
    public ValueTask TruncateFromAsync(long number) => DoAsync(() => files.Log.RemoveRange((int)(number - files.First), (int)(files.Next - number)));

    /// <inheritdoc/>
    public ValueTask BeginAtAsync(long first, bool keepBehind) => DoAsync(() =>
    {
        (files.BehindFirst, files.Behind) = keepBehind ? (files.First, files.Log) : (0, []);
        (files.First, files.Log, files.HasDamage) = (first, [], false);
    });

    /// <inheritdoc/>
    public async ValueTask DropBeforeAsync(long number)
    {
        if (files.Behind.Count > 0 && files.BehindNext <= number)
        {
            await DoAsync(() => (files.BehindFirst, files.Behind) = (0, []));
        }

        // Whole segments only.
        var dropped = (int)Math.Clamp(number - files.First, 0, files.Log.Count) / 4 * 4;
        if (dropped > 0)
        {
            await DoAsync(() =>
            {
                files.Log = files.Log[dropped..];
                files.First += dropped;
            });
        }
    }

    /// <inheritdoc/>
    public async ValueTask<(ReadOnlyMemory<byte> Frames, int Count)> ReadAsync(long from, int maxBytes)
    {
        await WorkAsync();
        var (records, at) = from < files.First ? (files.Behind, (int)(from - files.BehindFirst)) : (files.Log, (int)(from - files.First));
        using var frames = new MemoryStream();
        var count = 0;
        for (; at < records.Count && (count == 0 || frames.Length + records[at].Frame.Length <= maxBytes); at++, count++)
        {
            if (records[at].IsRotten)
            {
                throw new InvalidDataException($"record {from + count} is rotten");
            }

            frames.Write(records[at].Frame.Span);
        }

        return (frames.ToArray(), count);
    }

    /// <inheritdoc/>
    public ValueTask RestAsync()
    {
        faults.Count("replica laid to rest");
        return DoAsync(() =>
        {
            if (syncs)
            {
                files.Log.Concat(files.Behind).ToList().ForEach(r => r.IsSynced = true);
            }
        });
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>A change that is made at once, at some time before the call ends.</summary>
    private async ValueTask DoAsync(Action change)
    {
        if (scheduler.Chance(faults.DiskErrors))
        {
            faults.Count("disk error");
            throw new IOException("the disk refused");
        }

        var early = scheduler.Chance(0.5);
        if (early)
        {
            change();
        }

        await WorkAsync();
        if (!early)
        {
            change();
        }
    }

    private async ValueTask WorkAsync()
    {
        var stalls = scheduler.Chance(faults.DiskStalls);
        faults.Count("disk stall", stalls);
        await Task.Delay(stalls ? scheduler.Between(TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(1.5)) : scheduler.Between(TimeSpan.FromTicks(200), faults.DiskLatency), time);
    }

    private static bool DropRotten(List<SimRecord> records)
    {
        var rotten = records.FindIndex(r => r.IsRotten);
        if (rotten >= 0)
        {
            records.RemoveRange(rotten, records.Count - rotten);
        }

        return rotten >= 0;
    }

    private static List<SimRecord> Split(ReadOnlyMemory<byte> frames, int count)
    {
        var records = new List<SimRecord>(count);
        for (var at = 0; at < frames.Length;)
        {
            var length = LogFrames.OffsetOf(frames.Span[at..], 1);
            records.Add(new SimRecord(frames.Slice(at, length).ToArray()));
            at += length;
        }

        return records.Count == count ? records : throw new InvalidOperationException($"{count} records were announced, {records.Count} are there");
    }
}

/// <summary>A node's replicas on its simulated disk.</summary>
internal sealed class SimReplicaStores(SimDisk disk, SimScheduler scheduler, SimFaults faults, TimeProvider time, bool syncs) : IReplicaStores
{
    /// <inheritdoc/>
    public ValueTask<IReplicaStore> OpenAsync(LogId log)
    {
        if (!disk.Replicas.TryGetValue(log, out var files))
        {
            disk.Replicas[log] = files = new SimReplicaFiles();
        }

        return SimReplicaStore.OpenAsync(files, scheduler, faults, time, syncs);
    }

    /// <inheritdoc/>
    public IReadOnlyList<LogId> List() => [.. disk.Replicas.Keys];

    /// <inheritdoc/>
    public ValueTask RemoveAsync(LogId log)
    {
        faults.Count("replica swept");
        disk.Replicas.Remove(log);
        return ValueTask.CompletedTask;
    }
}
