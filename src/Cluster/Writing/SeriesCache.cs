using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Metrics.Cluster;

/// <summary>What a writer remembers of one tenant's series: fingerprint of the wire labels to shard and reference.</summary>
/// <remarks>
/// An open-addressing table of 32-byte slots; a key lies within <see cref="Window"/> slots of its home. It doubles until it reaches its bound; from
/// then on a new key overwrites the oldest-looking slot of its window. Any number of threads read without a lock: each slot has a version that is
/// odd while it is being written, and a reader that meets one, or sees it change, reports a miss, which costs a few label bytes and no correctness.
/// Writers take a lock. A shard's references die together when its incarnation changes: slots carry a generation per shard.
/// </remarks>
internal sealed class SeriesCache
{
    private const int Window = 8;
    private const int SmallestSlots = 1024;

    private readonly Lock writing = new();
    private readonly int maxSlots;
    private readonly ShardState[] shards;
    private Slot[] slots = new Slot[SmallestSlots];
    private int used;
    private uint victim;

    /// <summary>Makes an empty cache for so many shards; <paramref name="maxSlots"/> bounds it and is rounded down to a power of two.</summary>
    public SeriesCache(int shardCount, int maxSlots)
    {
        this.maxSlots = Math.Max(SmallestSlots, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)maxSlots / 2 + 1));
        shards = new ShardState[shardCount + 1];
        for (var i = 0; i <= shardCount; i++)
        {
            shards[i] = new ShardState(0, 1);
        }
    }

    /// <summary>What <see cref="TryGet"/> gives as the shard of a series that is left out.</summary>
    public int LeftOut => shards.Length - 1;

    /// <summary>The bytes of the table.</summary>
    public long Bytes => (long)Volatile.Read(ref slots).Length * Unsafe.SizeOf<Slot>();

    /// <summary>The incarnation whose references are cached for a shard, and the generation that marks them.</summary>
    public ShardState StateOf(int shard) => Volatile.Read(ref shards[shard]);

    /// <summary>Asks the processor for where <see cref="TryGet"/> will look.</summary>
    public unsafe void Prefetch(UInt128 fingerprint)
    {
        if (Sse.IsSupported)
        {
            var table = Volatile.Read(ref slots);
            Sse.Prefetch0(Unsafe.AsPointer(ref table[(uint)(ulong)(fingerprint >> 64) & (uint)(table.Length - 1)]));
        }
    }

    /// <summary>Finds a series. The hit counts only when its generation is the one the caller works with for that shard.</summary>
    public bool TryGet(UInt128 fingerprint, out int shard, out uint generation, out uint seriesRef)
    {
        var table = Volatile.Read(ref slots);
        var low = (ulong)fingerprint;
        var high = (ulong)(fingerprint >> 64);
        var home = (uint)high;
        for (var i = 0u; i < Window; i++)
        {
            ref var slot = ref table[(home + i) & (uint)(table.Length - 1)];
            var version = Volatile.Read(ref slot.Version);
            if ((version & 1) != 0 || Volatile.Read(ref slot.Low) != low || Volatile.Read(ref slot.High) != high)
            {
                continue;
            }

            seriesRef = Volatile.Read(ref slot.Ref);
            generation = Volatile.Read(ref slot.Generation);
            shard = (int)Volatile.Read(ref slot.Shard);
            if (generation != 0 && Volatile.Read(ref slot.Version) == version)
            {
                return true;
            }
        }

        shard = 0;
        generation = 0;
        seriesRef = 0;
        return false;
    }

    /// <summary>Notes the incarnation of a shard's references; those of another one are forgotten. Returns the state to add under.</summary>
    public ShardState Observe(int shard, ulong incarnation)
    {
        var state = StateOf(shard);
        if (state.Incarnation == incarnation)
        {
            return state;
        }

        lock (writing)
        {
            state = shards[shard];
            if (state.Incarnation != incarnation)
            {
                state = new ShardState(incarnation, state.Generation + 1);
                Volatile.Write(ref shards[shard], state);
            }

            return state;
        }
    }

    /// <summary>Adds or replaces series of one shard. The state is from <see cref="Observe"/>; when it is no longer current nothing is added.</summary>
    public void Add(int shard, ShardState state, ReadOnlySpan<(UInt128 Fingerprint, uint Ref)> entries)
    {
        lock (writing)
        {
            if (!ReferenceEquals(shards[shard], state))
            {
                return;
            }

            foreach (var (fingerprint, seriesRef) in entries)
            {
                if (used > slots.Length / 2 && slots.Length < maxSlots)
                {
                    Grow();
                }

                if (Put(slots, (ulong)fingerprint, (ulong)(fingerprint >> 64), seriesRef, (uint)shard, state.Generation))
                {
                    used++;
                }
            }
        }
    }

    /// <summary>Notes that a series is left out.</summary>
    public void AddLeftOut(UInt128 fingerprint) => Add(LeftOut, StateOf(LeftOut), [(fingerprint, 0)]);

    private void Grow()
    {
        var larger = new Slot[slots.Length * 2];
        used = 0;
        foreach (ref readonly var slot in slots.AsSpan())
        {
            if (slot.Generation != 0 && shards[slot.Shard].Generation == slot.Generation
                && Put(larger, slot.Low, slot.High, slot.Ref, slot.Shard, slot.Generation))
            {
                used++;
            }
        }

        Volatile.Write(ref slots, larger);
    }

    // True when a slot that was empty is now taken.
    private bool Put(Slot[] table, ulong low, ulong high, uint seriesRef, uint shard, uint generation)
    {
        var home = (uint)high;
        var mask = (uint)(table.Length - 1);
        var target = -1L;
        var fresh = false;
        for (var i = 0u; i < Window; i++)
        {
            ref var slot = ref table[(home + i) & mask];
            if (slot.Low == low && slot.High == high && slot.Generation != 0)
            {
                Write(ref slot, low, high, seriesRef, shard, generation);
                return false;
            }

            // The first free or dead slot is taken, but the whole window is searched: the key may lie behind it.
            if (target < 0 && slot.Generation == 0)
            {
                target = (home + i) & mask;
                fresh = true;
            }
            else if (target < 0 && shards[slot.Shard].Generation != slot.Generation)
            {
                target = (home + i) & mask;
            }
        }

        if (target < 0)
        {
            target = (home + (victim++ % Window)) & mask;
        }

        Write(ref table[target], low, high, seriesRef, shard, generation);
        return fresh;
    }

    private static void Write(ref Slot slot, ulong low, ulong high, uint seriesRef, uint shard, uint generation)
    {
        var version = slot.Version;
        Volatile.Write(ref slot.Version, version | 1);
        Volatile.Write(ref slot.Low, low);
        Volatile.Write(ref slot.High, high);
        Volatile.Write(ref slot.Ref, seriesRef);
        Volatile.Write(ref slot.Shard, shard);
        Volatile.Write(ref slot.Generation, generation);
        Volatile.Write(ref slot.Version, (version | 1) + 1);
    }

    /// <summary>The incarnation of a shard whose references are cached, and the number that marks their slots.</summary>
    internal sealed record ShardState(ulong Incarnation, uint Generation);

    [StructLayout(LayoutKind.Sequential)]
    private struct Slot
    {
        public ulong Low;
        public ulong High;
        public uint Version;
        public uint Ref;
        public uint Shard;
        public uint Generation;
    }
}
