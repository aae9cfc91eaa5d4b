using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>How a shard's store keeps the head's memory small and its restart short.</summary>
internal sealed partial class ShardStore
{
    /// <summary>Series copied into a snapshot in one go under the appender's lock: about a millisecond.</summary>
    private const int SnapshotSlice = 4096;

    private readonly LocalShardLog? local; // Only a log of this machine has snapshots of its head.
    private readonly ChunkSpill spill;
    private readonly string snapshotPath;
    private long snapshotBytes;
    private long bytesSinceSnapshot;
    private int spilling;
    private volatile bool spillFailed; // Then only the upkeep tries, every few seconds.
    private bool disposed; // Guarded by cutting.

    /// <summary>Moves the sealed chunks that wait in memory to disk.</summary>
    /// <param name="head">The head.</param>
    /// <param name="locked">Runs what must not meet an append.</param>
    /// <exception cref="IOException">The disk is full; they go on waiting.</exception>
    public static void Spill(Head head, Action<Action> locked)
    {
        while (true)
        {
            SpillBatch? batch = null;
            locked(() => batch = head.CollectSpill());
            if (batch is null)
            {
                return;
            }

            try
            {
                batch.Write();
            }
            catch
            {
                locked(() => head.AbandonSpill(batch));
                throw;
            }

            locked(() => head.ApplySpill(batch));
        }
    }

    private void Locked(Action work)
    {
        lock (appending)
        {
            work();
        }
    }

    /// <summary>
    /// Starts to spill beside the appends, unless that, or something longer, is under way. Series that began together fill their chunks together, so waiting for the next upkeep would cost the memory of a chunk for
    /// each of them.
    /// </summary>
    private void SpillSoon()
    {
        if (Interlocked.Exchange(ref spilling, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static store => store.SpillNow(), this, preferLocal: false);
        }
    }

    private void SpillNow()
    {
        try
        {
            if (cutting.TryEnter())
            {
                try
                {
                    SpillWhenDue();
                }
                finally
                {
                    cutting.Exit();
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            spillFailed = true; // The next upkeep tries again, and reports it.
        }
        finally
        {
            Volatile.Write(ref spilling, 0);
        }
    }

    private void SpillWhenDue()
    {
        if (!disposed && head.UnspilledBytes >= options.HeadMemory.SpillBytes)
        {
            Spill(head, Locked);
            spillFailed = false;
        }
    }

    /// <summary>
    /// A snapshot is due when the log behind the last one is longer than that one, so that no more is written for snapshots than for the log, and a restart reads no more than twice the
    /// head; and after a cut, since files of chunks that went into the block can then go.
    /// </summary>
    private void SnapshotWhenDue(bool afterCut)
    {
        if (local is not null && (afterCut ? snapshotBytes > 0 : Volatile.Read(ref bytesSinceSnapshot) >= Math.Max(snapshotBytes, options.HeadMemory.SnapshotLogBytes)))
        {
            Snapshot(local);
        }
        else if (afterCut)
        {
            spill.DeleteDead();
        }
    }

    private void Snapshot(LocalShardLog standsOn)
    {
        Spill(head, Locked);
        HeadSnapshotWriter writer;
        long position;
        lock (appending)
        {
            position = standsOn.NextRecord;
            Volatile.Write(ref bytesSinceSnapshot, 0);
            writer = new HeadSnapshotWriter(head, snapshotPath, standsOn.Lineage, position);
        }

        using (writer)
        {
            var more = true;
            while (more)
            {
                lock (appending)
                {
                    more = writer.Collect(SnapshotSlice);
                }

                writer.Write();
            }

            // A snapshot must not stand where the log has not got to, nor name chunks that a power cut would take.
            standsOn.Sync();
            spill.Flush();
            step("snapshot.finish");
            snapshotBytes = writer.Finish(exemplars);
        }

        step("snapshot.finished");
        spill.DeleteDead();
    }
}
