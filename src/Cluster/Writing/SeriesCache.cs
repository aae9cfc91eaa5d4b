using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Metrics.Cluster;

/// <summary>What a writer remembers of one tenant's series: fingerprint of the wire labels to shard and reference.</summary>
/// <remarks>
/// Extendible hashing (Fagin, Nievergelt, Pippenger, Strong 1979): a directory, indexed by the first bits of the fingerprint, of pages of <see cref="PageSlots"/> slots; a page that fills up is split in two, until
/// there are as many as may be. So it grows with what it holds, and leaves no tables behind that the collector, which has little else to do here, would find only much later.
/// <code>
///   directory, 2^depth entries    0000 ─┐  0001 ─┐  0010 ─┐  0011 ─┐ ...
///                                       └────┬───┘        │        │
///   pages of 512 slots                    [ 000 ]     [ 0010 ]  [ 0011 ]     a key lies within 24 slots of its home
/// </code>
/// A new key that finds no room, or comes after the bound was reached, overwrites one of its window. Any number of threads read without a lock: each slot has a version that is odd while it is being written, and a
/// reader that meets one, sees it change, or looks into a page that is being split or joined, reports a miss, which costs a few label bytes and no correctness. Writers take a lock.
///
/// What is dead gives its slot to whoever comes, and pages that are nearly empty are joined again. A shard's references die together when its incarnation changes: slots carry a generation per shard. A series that is
/// no longer written, as those of a pod that is gone, dies by itself: slots carry the round of <see cref="RoundLength"/> in which they were found last, which costs the first finder in a round a write, and live through the next.
/// </remarks>
internal sealed class SeriesCache
{
    /// <summary>Slots of a page: 16 KiB.</summary>
    public const int PageSlots = 512;

    /// <summary>A series is kept for this long after it was written, and for less than twice as long. Of many gateways each may see it less often than it is scraped.</summary>
    public static readonly TimeSpan RoundLength = TimeSpan.FromMinutes(15);

    private const int Window = 24;

    /// <summary>A page with more in it is split: windows without a free slot are rare up to here.</summary>
    private const int FullSlots = PageSlots * 5 / 8;

    /// <summary>Neighbours with less in them, taken together, are joined: well below <see cref="FullSlots"/>, so that they are not split again soon.</summary>
    private const int FewSlots = FullSlots / 2;

    private readonly Lock writing = new();
    private readonly int maxPages;
    private readonly ShardState[] shards;
    private readonly TimeProvider time;
    private readonly long startedAt;
    private Directory directory;
    private int pages = 1;
    private uint victim;
    private ushort round;

    /// <summary>Makes an empty cache for so many shards; <paramref name="maxSlots"/> bounds it and is rounded down to whole pages.</summary>
    public SeriesCache(int shardCount, int maxSlots, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shardCount, ushort.MaxValue);
        this.time = time;
        startedAt = time.GetTimestamp();
        maxPages = Math.Max(1, maxSlots / PageSlots);
        directory = new Directory(0, [new Page(0)]);
        shards = new ShardState[shardCount + 1];
        for (var i = 0; i <= shardCount; i++)
        {
            shards[i] = new ShardState(0, 1);
        }
    }

    /// <summary>What <see cref="TryGet"/> gives as the shard of a series that is left out.</summary>
    public int LeftOut => shards.Length - 1;

    /// <summary>The bytes of the pages.</summary>
    public long Bytes => (long)Volatile.Read(ref pages) * PageSlots * Unsafe.SizeOf<Slot>();

    /// <summary>The incarnation whose references are cached for a shard, and the generation that marks them.</summary>
    public ShardState StateOf(int shard) => Volatile.Read(ref shards[shard]);

    /// <summary>Notes that time has passed; to be called now and then, by each request for example.</summary>
    public void Advance()
    {
        var now = (ushort)(time.GetElapsedTime(startedAt).Ticks / RoundLength.Ticks);
        if (now == Volatile.Read(ref round))
        {
            return;
        }

        lock (writing)
        {
            // Never back, where who was slow would end up: all that others found since would be dead. Rounds begin anew after two years.
            if ((short)(now - round) > 0)
            {
                Volatile.Write(ref round, now);
            }
        }
    }

    /// <summary>Asks the processor for where <see cref="TryGet"/> will look.</summary>
    public unsafe void Prefetch(UInt128 fingerprint)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(Unsafe.AsPointer(ref At(ref Volatile.Read(ref directory).SlotsOf(fingerprint), Home(fingerprint))));
        }
    }

    /// <summary>Finds a series. The hit counts only when its generation is the one the caller works with for that shard.</summary>
    public bool TryGet(UInt128 fingerprint, out int shard, out uint generation, out uint seriesRef)
    {
        ref var page = ref Volatile.Read(ref directory).SlotsOf(fingerprint);
        var low = (ulong)fingerprint;
        var high = (ulong)(fingerprint >> 64);
        var home = Home(fingerprint);
        for (var i = 0u; i < Window; i++)
        {
            ref var slot = ref At(ref page, home + i);
            var version = Volatile.Read(ref slot.Version);
            if ((version & 1) != 0 || Volatile.Read(ref slot.Low) != low || Volatile.Read(ref slot.High) != high)
            {
                continue;
            }

            seriesRef = Volatile.Read(ref slot.Ref);
            generation = Volatile.Read(ref slot.Generation);
            shard = Volatile.Read(ref slot.Shard);
            if (generation != 0 && Volatile.Read(ref slot.Version) == version)
            {
                if (slot.Round != round)
                {
                    // Should another key be put there at this moment, then it was written in this round too.
                    Volatile.Write(ref slot.Round, round);
                }

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
                var page = directory.PageOf(fingerprint);
                if (page.SweptIn != round)
                {
                    Sweep(page);
                    page = Join(page, fingerprint);
                }

                while (page.Used > FullSlots && pages < maxPages)
                {
                    Split(page, fingerprint);
                    page = directory.PageOf(fingerprint);
                }

                Put(page, fingerprint, seriesRef, (ushort)shard, state.Generation, round);
            }
        }
    }

    /// <summary>Notes that a series is left out.</summary>
    public void AddLeftOut(UInt128 fingerprint) => Add(LeftOut, StateOf(LeftOut), [(fingerprint, 0)]);

    private static uint Home(UInt128 fingerprint) => (uint)(ulong)fingerprint;

    private static ref Slot At(ref Slot page, uint index) => ref Unsafe.Add(ref page, index % PageSlots);

    /// <summary>Frees the slots of a page whose series are dead, once a round.</summary>
    private void Sweep(Page page)
    {
        page.SweptIn = round;
        foreach (ref var slot in page.Slots.AsSpan())
        {
            if (slot.Generation != 0 && !IsAlive(ref slot))
            {
                Clear(page, ref slot);
            }
        }
    }

    /// <summary>Joins a page with its neighbour, that with which it shares all bits but the last, for as long as there is little in both. Gives the page for the fingerprint.</summary>
    private Page Join(Page page, UInt128 fingerprint)
    {
        while (directory.NeighbourOf(page, fingerprint) is { } neighbour)
        {
            Sweep(neighbour);
            if (page.Used + neighbour.Used > FewSlots)
            {
                break;
            }

            foreach (ref readonly var slot in neighbour.Slots.AsSpan())
            {
                if (slot.Generation != 0)
                {
                    Put(page, in slot);
                }
            }

            // Readers find what moved in the old page until the directory leads to the one that has both.
            page.Depth--;
            directory.Lead(fingerprint, page);
            pages--;
        }

        return page;
    }

    /// <summary>Moves the living entries of a page whose next bit is set into a page of their own.</summary>
    private void Split(Page page, UInt128 anyOfIts)
    {
        if (page.Depth == directory.Depth)
        {
            Volatile.Write(ref directory, directory.Doubled());
        }

        Sweep(page);
        page.Depth++;
        var upper = new Page(page.Depth) { SweptIn = round };
        var upperBit = 1UL << (64 - page.Depth);
        foreach (ref readonly var slot in page.Slots.AsSpan())
        {
            if (slot.Generation != 0 && (slot.High & upperBit) != 0)
            {
                Put(upper, in slot);
            }
        }

        // Readers find what moved in the old page until the directory leads to the new one, and there from then on.
        directory.Lead(anyOfIts | ((UInt128)upperBit << 64), upper);
        pages++;
        foreach (ref var slot in page.Slots.AsSpan())
        {
            if (slot.Generation != 0 && (slot.High & upperBit) != 0)
            {
                Clear(page, ref slot);
            }
        }
    }

    private bool IsAlive(ref readonly Slot slot) => slot.Generation != 0 && shards[slot.Shard].Generation == slot.Generation && (ushort)(round - slot.Round) <= 1;

    private void Put(Page page, ref readonly Slot slot) => Put(page, new UInt128(slot.High, slot.Low), slot.Ref, slot.Shard, slot.Generation, slot.Round);

    private void Put(Page page, UInt128 fingerprint, uint seriesRef, ushort shard, uint generation, ushort foundIn)
    {
        var low = (ulong)fingerprint;
        var high = (ulong)(fingerprint >> 64);
        var home = Home(fingerprint);
        ref var slots = ref page.Slots[0];
        var target = -1L;
        for (var i = 0u; i < Window; i++)
        {
            ref var slot = ref At(ref slots, home + i);
            if (slot.Low == low && slot.High == high && slot.Generation != 0)
            {
                Write(ref slot, low, high, seriesRef, shard, generation, foundIn);
                return;
            }

            // The first free or dead slot is taken, but the whole window is searched: the key may lie behind it.
            if (target < 0 && !IsAlive(ref slot))
            {
                target = home + i;
            }
        }

        if (target < 0)
        {
            target = home + (victim++ % Window);
        }

        ref var taken = ref At(ref slots, (uint)target);
        page.Used += taken.Generation == 0 ? 1 : 0;
        Write(ref taken, low, high, seriesRef, shard, generation, foundIn);
    }

    private static void Clear(Page page, ref Slot slot)
    {
        Write(ref slot, slot.Low, slot.High, 0, 0, 0, 0);
        page.Used--;
    }

    private static void Write(ref Slot slot, ulong low, ulong high, uint seriesRef, ushort shard, uint generation, ushort foundIn)
    {
        var version = slot.Version;
        Volatile.Write(ref slot.Version, version | 1);
        Volatile.Write(ref slot.Low, low);
        Volatile.Write(ref slot.High, high);
        Volatile.Write(ref slot.Ref, seriesRef);
        Volatile.Write(ref slot.Shard, shard);
        Volatile.Write(ref slot.Round, foundIn);
        Volatile.Write(ref slot.Generation, generation);
        Volatile.Write(ref slot.Version, (version | 1) + 1);
    }

    /// <summary>The incarnation of a shard whose references are cached, and the number that marks their slots.</summary>
    internal sealed record ShardState(ulong Incarnation, uint Generation);

    /// <summary>Slots of the fingerprints that begin with the same bits, as many as <see cref="Depth"/>. All but the slots is the writers' own.</summary>
    private sealed class Page(int depth)
    {
        public readonly Slot[] Slots = new Slot[PageSlots];

        public int Depth { get; set; } = depth;

        public int Used { get; set; }

        public ushort SweptIn { get; set; }
    }

    /// <summary>The page of each beginning of <see cref="Depth"/> bits.</summary>
    private sealed class Directory(int depth, Page[] pages)
    {
        // The slots once more, which saves readers a step.
        private readonly Slot[][] slots = [.. pages.Select(static p => p.Slots)];

        public int Depth => depth;

        public Page PageOf(UInt128 fingerprint) => pages[IndexOf(fingerprint)];

        public ref Slot SlotsOf(UInt128 fingerprint) => ref MemoryMarshal.GetArrayDataReference(Volatile.Read(ref slots[IndexOf(fingerprint)]));

        public Directory Doubled() => new(depth + 1, [.. pages.SelectMany(static p => new[] { p, p })]);

        /// <summary>The page of the fingerprints that differ in the last of this one's bits; null when there is none, or it was split further.</summary>
        public Page? NeighbourOf(Page page, UInt128 anyOfIts) => page.Depth > 0 && pages[IndexOf(anyOfIts) ^ (1 << (depth - page.Depth))] is var other && other.Depth == page.Depth ? other : null;

        /// <summary>Leads to a page for all fingerprints that share its bits with this one.</summary>
        public void Lead(UInt128 anyOfIts, Page page)
        {
            var same = 1 << (depth - page.Depth);
            var first = IndexOf(anyOfIts) & ~(same - 1);
            for (var i = first; i < first + same; i++)
            {
                pages[i] = page;
                Volatile.Write(ref slots[i], page.Slots);
            }
        }

        private int IndexOf(UInt128 fingerprint) => (int)((ulong)(fingerprint >> 64) >> 1 >> (63 - depth));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Slot
    {
        public ulong Low;
        public ulong High;
        public uint Version;
        public uint Ref;
        public ushort Shard;
        public ushort Round;
        public uint Generation;
    }
}
