using System.Buffers;

namespace Metrics.Model;

/// <summary>A growing list of plain values in pooled memory: for what a query makes of each of its series, and lets go of at its end.</summary>
/// <remarks>One owner, who disposes it when nobody reads it any more. Spans are valid until the next call that appends. Safe for several readers while nobody writes.</remarks>
/// <typeparam name="T">A value without references, so that memory given back holds nothing alive.</typeparam>
/// <param name="capacity">Room to begin with.</param>
public sealed class PooledList<T>(int capacity = 16) : IDisposable
    where T : unmanaged
{
    private T[] items = ArrayPool<T>.Shared.Rent(Math.Max(1, capacity));

    /// <summary>The number of values.</summary>
    public int Count { get; private set; }

    /// <summary>The values.</summary>
    public Span<T> Items => items.AsSpan(0, Count);

    /// <summary>The values, for who keeps them.</summary>
    public ReadOnlyMemory<T> Memory => items.AsMemory(0, Count);

    /// <summary>A value, 0 &lt;= index &lt; <see cref="Count"/>.</summary>
    public ref T this[int index] => ref items.AsSpan(0, Count)[index];

    /// <summary>Appends a value.</summary>
    public void Add(T value)
    {
        if (Count == items.Length)
        {
            var grown = ArrayPool<T>.Shared.Rent(2 * Count);
            Items.CopyTo(grown);
            ArrayPool<T>.Shared.Return(items);
            items = grown;
        }

        items[Count++] = value;
    }

    /// <summary>Appends values that the caller writes; they are whatever the memory held before.</summary>
    public Span<T> Extend(int count)
    {
        if (items.Length - Count < count)
        {
            var grown = ArrayPool<T>.Shared.Rent(Math.Max(checked(Count + count), 2 * Count));
            Items.CopyTo(grown);
            ArrayPool<T>.Shared.Return(items);
            items = grown;
        }

        Count += count;
        return items.AsSpan(Count - count, count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (items.Length > 0)
        {
            ArrayPool<T>.Shared.Return(items);
            items = [];
            Count = 0;
        }
    }
}
