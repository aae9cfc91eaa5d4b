using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Gives each distinct byte string a number, in order of arrival; keeps the bytes in one slab. Not thread-safe.</summary>
internal sealed class SymbolInterner
{
    private byte[] slab = new byte[64 * 1024];
    private int[] ends = new int[1024];
    private int[] slots = new int[4096]; // number + 1; 0 is free. Open addressing, at most half full.

    /// <summary>How many distinct strings there are.</summary>
    public int Count { get; private set; }

    /// <summary>The bytes of a string.</summary>
    public ReadOnlySpan<byte> this[int number]
    {
        get
        {
            var start = number == 0 ? 0 : ends[number - 1];
            return slab.AsSpan(start, ends[number] - start);
        }
    }

    /// <summary>The number of a string, a new one when it has none yet.</summary>
    public int Intern(ReadOnlySpan<byte> text)
    {
        var slot = FindSlot(text);
        if (slots[slot] != 0)
        {
            return slots[slot] - 1;
        }

        var number = Append(text);
        slots[slot] = number + 1;
        if (Count * 2 > slots.Length)
        {
            Rehash();
        }

        return number;
    }

    /// <summary>The numbers in the byte order of their strings.</summary>
    public int[] Sorted()
    {
        var order = new int[Count];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        Array.Sort(order, (a, b) => this[a].SequenceCompareTo(this[b]));
        return order;
    }

    private int FindSlot(ReadOnlySpan<byte> text)
    {
        var mask = slots.Length - 1;
        var slot = (int)SeriesHash.Of(text) & mask;
        while (slots[slot] != 0 && !this[slots[slot] - 1].SequenceEqual(text))
        {
            slot = (slot + 1) & mask;
        }

        return slot;
    }

    private int Append(ReadOnlySpan<byte> text)
    {
        var start = Count == 0 ? 0 : ends[Count - 1];
        if (slab.Length - start < text.Length)
        {
            Array.Resize(ref slab, (int)Math.Min(Array.MaxLength, Math.Max((long)start + text.Length, slab.Length * 2L)));
        }

        if (Count == ends.Length)
        {
            Array.Resize(ref ends, Count * 2);
        }

        text.CopyTo(slab.AsSpan(start));
        ends[Count] = start + text.Length;
        return Count++;
    }

    private void Rehash()
    {
        slots = new int[slots.Length * 2];
        for (var i = 0; i < Count; i++)
        {
            slots[FindSlot(this[i])] = i + 1;
        }
    }
}
