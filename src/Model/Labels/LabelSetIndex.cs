using System.Runtime.InteropServices;

namespace Metrics.Model;

/// <summary>Numbers distinct label sets from 0 in the order they come. In pooled memory: adding one, known or new, makes no object. Not thread-safe.</summary>
public sealed class LabelSetIndex : IDisposable
{
    private readonly PooledList<byte> texts = new(1024);
    private readonly PooledList<Entry> sets = new();
    private readonly HashNumbers numbers = new();

    /// <summary>The number of distinct label sets.</summary>
    public int Count => sets.Count;

    /// <summary>The canonical bytes of a label set, 0 &lt;= number &lt; <see cref="Count"/>. Valid until the next is added.</summary>
    public ReadOnlySpan<byte> this[int number] => texts.Items.Slice(sets[number].Start, sets[number].Length);

    /// <summary>The number of a label set in canonical form, given now if it is new.</summary>
    public int Add(ReadOnlySpan<byte> canonical)
    {
        var found = numbers.Find(SeriesHash.Of(canonical));
        while (found.Next(out var number))
        {
            if (this[number].SequenceEqual(canonical))
            {
                return number;
            }
        }

        sets.Add(new Entry(texts.Count, canonical.Length));
        canonical.CopyTo(texts.Extend(canonical.Length));
        return numbers.Add(found);
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
        numbers.Dispose();
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Entry(int Start, int Length);
}
