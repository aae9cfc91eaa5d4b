using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Metrics.Model;

/// <summary>Numbers distinct label sets from 0 in the order they come. In pooled memory: adding one, known or new, makes no object. Not thread-safe.</summary>
public sealed class LabelSetIndex : IDisposable
{
    private readonly PooledList<byte> texts = new(1024);
    private readonly PooledList<Entry> sets = new();
    private PooledList<int> slots = Slots(64); // Numbers from 1, by hash; a power of two.

    /// <summary>The number of distinct label sets.</summary>
    public int Count => sets.Count;

    /// <summary>The canonical bytes of a label set, 0 &lt;= number &lt; <see cref="Count"/>. Valid until the next is added.</summary>
    public ReadOnlySpan<byte> this[int number] => texts.Items.Slice(sets[number].Start, sets[number].Length);

    /// <summary>The number of a label set in canonical form, given now if it is new.</summary>
    public int Add(ReadOnlySpan<byte> canonical)
    {
        var hash = SeriesHash.Of(canonical);
        var table = slots.Items;
        var slot = (int)hash & (table.Length - 1);
        for (; table[slot] != 0; slot = (slot + 1) & (table.Length - 1))
        {
            var number = table[slot] - 1;
            if (sets[number].Hash == hash && this[number].SequenceEqual(canonical))
            {
                return number;
            }
        }

        sets.Add(new Entry(hash, texts.Count, canonical.Length));
        canonical.CopyTo(texts.Extend(canonical.Length));
        table[slot] = sets.Count;
        if (2 * sets.Count > table.Length)
        {
            Grow();
        }

        return sets.Count - 1;
    }

    /// <summary>The label sets, by number.</summary>
    public Labels[] ToLabels()
    {
        var arena = new LabelsArena();
        var labels = new Labels[Count];
        for (var i = 0; i < labels.Length; i++)
        {
            labels[i] = arena.Add(this[i]);
        }

        return labels;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        sets.Dispose();
        slots.Dispose();
    }

    private static PooledList<int> Slots(int count)
    {
        Debug.Assert(System.Numerics.BitOperations.IsPow2(count), "slots are found by masking");
        var empty = new PooledList<int>(count);
        empty.Extend(count).Clear();
        return empty;
    }

    private void Grow()
    {
        var grown = Slots(2 * slots.Count);
        var table = grown.Items;
        for (var i = 0; i < sets.Count; i++)
        {
            var slot = (int)sets[i].Hash & (table.Length - 1);
            while (table[slot] != 0)
            {
                slot = (slot + 1) & (table.Length - 1);
            }

            table[slot] = i + 1;
        }

        slots.Dispose();
        slots = grown;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Entry(ulong Hash, int Start, int Length);
}
