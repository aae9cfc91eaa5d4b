using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Gives memory back to the operating system when a process was left with much less to hold: many shards were closed, or their heads went into blocks, and nobody writes. It would have no reason to collect then, and
/// keep for days what it needed once.</summary>
/// <remarks>One collection, once it is over, and another one minutes later, for what gateways know of series they forget only then. That holds everything up for as long as the rest of the heap takes, so it is done only when most of what there was is gone: a head that is cut every two hours is no reason.</remarks>
/// <param name="time">The clock.</param>
/// <param name="giveBack">Gives it back; null for one collection, and a trim of what heads have freed.</param>
internal sealed class MemoryReturn(TimeProvider time, Action? giveBack = null)
{
    /// <summary>What an open shard takes beside its head: its owner, log and blocks, and the buffers of who writes to it; about.</summary>
    public const long ShardOverheadBytes = 64 * 1024;

    /// <summary>What a replica takes whose log does not rest; about.</summary>
    public const long ReplicaBytes = 8 * 1024;

    /// <summary>Less is not worth a collection: the collector gets to it.</summary>
    private const long LeastBytes = 16 * 1024 * 1024;

    /// <summary>For so long there must be nothing more to let go of.</summary>
    private static readonly TimeSpan quiet = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan later = TimeSpan.FromMinutes(2);

    private (long At, long InUse)? before; // The collection to which another one belongs.
    private long most;
    private long last;
    private long fellAt;

    /// <summary>Looks whether it is time, and does it; true then. For one thread at a time, every few seconds, where it may take a moment.</summary>
    /// <param name="inUse">About how much is in use now, in bytes.</param>
    public bool ReturnWhenDue(long inUse)
    {
        most = Math.Max(most, inUse);
        fellAt = inUse < last ? time.GetTimestamp() : fellAt;
        last = inUse;
        if (before is { } first && time.GetElapsedTime(first.At) >= later)
        {
            before = null;
            if (most - first.InUse < LeastBytes)
            {
                (giveBack ?? Collect)();
                return true;
            }
        }

        if (most - inUse < LeastBytes || inUse > most / 2 || time.GetElapsedTime(fellAt) < quiet)
        {
            return false;
        }

        (most, before) = (inUse, (time.GetTimestamp(), inUse));
        (giveBack ?? Collect)();
        return true;
    }

    private static void Collect()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        NativeHeap.Trim();
    }
}
