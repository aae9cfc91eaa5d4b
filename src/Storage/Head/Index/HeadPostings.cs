using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>The inverted index of a head: which series carry which label pair, and which values a name has. One writer; readers need no lock inside a view.</summary>
/// <remarks>
/// A list is a native array that grows by half; a full one is retired, not freed, because a reader may be in it. A reader takes the count first and the array second: the writer
/// publishes them in the other order, so the array it sees holds at least so many items.
/// The first page of lists is small and is replaced by larger copies; a reader that still has the old one sees the lists as they were then, whose arrays are kept for its view.
/// References of a list ascend because references are given out in ascending order.
/// </remarks>
internal sealed unsafe class HeadPostings(NativeArena arena, ViewEpochs epochs, SymbolTable symbols) : IPostingsSource
{
    private const int PageBits = 10;
    private const int FirstLists = 32;

    /// <summary>Key of the list of a name's values: no symbol is all ones, so no pair has it.</summary>
    private const ulong NamesKey = 0xffff_ffff_0000_0000;

    /// <summary>Key of the list of all names.</summary>
    private const ulong AllNamesKey = ulong.MaxValue;

    /// <summary>The first list made holds every series.</summary>
    private const int All = 0;
    private PairTable pairs = new(64);
    private List[][] pages = [];
    private int lists;

    /// <summary>Enters a new series under all its label pairs (names and values as symbols).</summary>
    public void Add(uint reference, SeriesSymbols labels)
    {
        if (lists == 0)
        {
            NewList();
        }

        Append(All, reference);
        for (var i = 0; i < labels.Count; i++)
        {
            Append(ListOf(labels.Names[i], labels.Values[i]), reference);
        }
    }

    public void AddAll(PostingsBuffer into)
    {
        if (Volatile.Read(ref lists) > 0)
        {
            AddList(All, into);
        }
    }

    public bool TryFindList(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, out long list)
    {
        list = -1;
        var nameSymbol = symbols.Find(name);
        var valueSymbol = nameSymbol == SymbolTable.None ? SymbolTable.None : symbols.Find(value);
        if (valueSymbol == SymbolTable.None)
        {
            return false;
        }

        list = Volatile.Read(ref pairs).Find(Key(nameSymbol, valueSymbol));
        return list >= 0;
    }

    public void AddList(long list, PostingsBuffer into)
    {
        var items = Snapshot((int)list);
        items.CopyTo(into.Extend(items.Length));
    }

    /// <summary>The number of series in a list.</summary>
    public int CountOf(long list) => Snapshot((int)list).Length;

    public void VisitValues(ReadOnlySpan<byte> name, ILabelValueVisitor visitor)
    {
        var nameSymbol = symbols.Find(name);
        var values = nameSymbol == SymbolTable.None ? -1 : Volatile.Read(ref pairs).Find(NamesKey | nameSymbol);
        if (values < 0)
        {
            return;
        }

        foreach (var value in Snapshot(values))
        {
            if (!visitor.Visit(symbols[value], Volatile.Read(ref pairs).Find(Key(nameSymbol, value))))
            {
                return;
            }
        }
    }

    /// <summary>Shows the symbol of each label name.</summary>
    public ReadOnlySpan<uint> NameSymbols()
    {
        var names = Volatile.Read(ref pairs).Find(AllNamesKey);
        return names < 0 ? default : Snapshot(names);
    }

    private static ulong Key(uint name, uint value) => ((ulong)name << 32) | value;

    private int ListOf(uint name, uint value)
    {
        var key = Key(name, value);
        var list = pairs.Find(key);
        if (list >= 0)
        {
            return list;
        }

        var values = pairs.Find(NamesKey | name);
        if (values < 0)
        {
            var names = pairs.Find(AllNamesKey);
            if (names < 0)
            {
                names = NewList();
                Publish(AllNamesKey, names);
            }

            values = NewList();
            Publish(NamesKey | name, values);
            Append(names, name);
        }

        list = NewList();
        Publish(key, list);
        Append(values, value);
        return list;
    }

    private void Publish(ulong key, int list)
    {
        if (pairs.IsFull)
        {
            Volatile.Write(ref pairs, pairs.Grown());
        }

        pairs.Add(key, list);
    }

    private int NewList()
    {
        if (lists >> PageBits == pages.Length)
        {
            Volatile.Write(ref pages, [.. pages, new List[lists == 0 ? FirstLists : 1 << PageBits]]);
        }
        else if (lists == pages[0].Length)
        {
            var grown = new List[lists * 2];
            pages[0].CopyTo(grown, 0);
            Volatile.Write(ref pages[0], grown);
        }

        Volatile.Write(ref lists, lists + 1);
        return lists - 1;
    }

    private ref List At(int list) => ref pages[list >> PageBits][list & ((1 << PageBits) - 1)];

    private ReadOnlySpan<uint> Snapshot(int list)
    {
        ref var at = ref Volatile.Read(ref pages)[list >> PageBits][list & ((1 << PageBits) - 1)];
        var count = Volatile.Read(ref at.Count);
        return new ReadOnlySpan<uint>((void*)Volatile.Read(ref at.Items), count);
    }

    private void Append(int list, uint item)
    {
        ref var at = ref At(list);
        if (at.Count == at.Capacity)
        {
            // A list may hold one item for ever (a unique value) or grow with the head: 4, 8, 12, 20, 32, ... items.
            var capacity = NativeArena.Rounded(Math.Max(4, at.Capacity * 3 / 2) * sizeof(uint)) / sizeof(uint);
            var grown = (uint*)arena.Allocate(capacity * sizeof(uint));
            new ReadOnlySpan<uint>((void*)at.Items, at.Count).CopyTo(new Span<uint>(grown, capacity));
            var old = at.Items;
            Volatile.Write(ref at.Items, (nint)grown);
            if (old != 0)
            {
                epochs.Retire((byte*)old, at.Capacity * sizeof(uint));
            }

            at.Capacity = capacity;
        }

        ((uint*)at.Items)[at.Count] = item;
        Volatile.Write(ref at.Count, at.Count + 1);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct List
    {
        public nint Items;
        public int Count;
        public int Capacity;
    }

    /// <summary>Keys to list numbers, open addressing; replaced as a whole when it grows.</summary>
    private sealed class PairTable(int size)
    {
        private readonly ulong[] keys = new ulong[size];
        private readonly int[] found = new int[size];
        private int used;
        private int names;

        public bool IsFull => used * 2 >= keys.Length;

        public int Find(ulong key)
        {
            // Keys are stored plus one, so that zero means empty; the one key for which that overflows has a field of its own.
            if (key == AllNamesKey)
            {
                return Volatile.Read(ref names) - 1;
            }

            for (var at = Mix(key); ; at++)
            {
                var slot = at & (ulong)(keys.Length - 1);
                var held = Volatile.Read(ref keys[slot]);
                if (held == 0)
                {
                    return -1;
                }

                if (held == key + 1)
                {
                    return found[slot];
                }
            }
        }

        public void Add(ulong key, int list)
        {
            if (key == AllNamesKey)
            {
                Volatile.Write(ref names, list + 1);
                return;
            }

            var at = Mix(key);
            while (keys[at & (ulong)(keys.Length - 1)] != 0)
            {
                at++;
            }

            found[at & (ulong)(keys.Length - 1)] = list;
            Volatile.Write(ref keys[at & (ulong)(keys.Length - 1)], key + 1);
            used++;
        }

        public PairTable Grown()
        {
            var grown = new PairTable(keys.Length * 2) { names = names };
            for (var i = 0; i < keys.Length; i++)
            {
                if (keys[i] != 0)
                {
                    grown.Add(keys[i] - 1, found[i]);
                }
            }

            return grown;
        }

        private static ulong Mix(ulong key)
        {
            key *= 0x9E3779B97F4A7C15;
            return key ^ (key >> 29);
        }
    }
}
