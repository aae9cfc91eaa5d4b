using System.Buffers;

namespace Metrics.Storage;

/// <summary>A growing list of series references in pooled memory.</summary>
/// <remarks>Not thread-safe. Spans taken from it are valid until the next call that appends, clears or disposes.</remarks>
public sealed class PostingsBuffer : IDisposable
{
    private uint[] items;

    /// <summary>Rents room for some references.</summary>
    public PostingsBuffer(int capacity = 256) => items = ArrayPool<uint>.Shared.Rent(Math.Max(capacity, 1));

    /// <summary>How many references are held.</summary>
    public int Count { get; private set; }

    /// <summary>The references held.</summary>
    public ReadOnlySpan<uint> Items => items.AsSpan(0, Count);

    internal Span<uint> Writable => items.AsSpan(0, Count);

    /// <summary>Forgets all references and keeps the memory.</summary>
    public void Clear() => Count = 0;

    /// <summary>Appends one reference.</summary>
    public void Add(uint reference)
    {
        if (Count == items.Length)
        {
            Grow(Count + 1);
        }

        items[Count++] = reference;
    }

    /// <summary>Appends references.</summary>
    public void Add(ReadOnlySpan<uint> references) => references.CopyTo(Extend(references.Length));

    /// <summary>Appends <paramref name="count"/> references that the caller writes into the returned span, all of it.</summary>
    public Span<uint> Extend(int count)
    {
        if (items.Length - Count < count)
        {
            Grow(checked(Count + count));
        }

        Count += count;
        return items.AsSpan(Count - count, count);
    }

    /// <summary>Drops what follows the first <paramref name="count"/> references.</summary>
    public void Truncate(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)Count, nameof(count));
        Count = count;
    }

    /// <summary>Gives the memory back to the pool.</summary>
    public void Dispose()
    {
        if (items.Length > 0)
        {
            ArrayPool<uint>.Shared.Return(items);
            items = [];
            Count = 0;
        }
    }

    internal void Swap(PostingsBuffer other)
    {
        (items, other.items) = (other.items, items);
        (Count, other.Count) = (other.Count, Count);
    }

    private void Grow(int atLeast)
    {
        var doubled = (int)Math.Min((long)items.Length * 2, Array.MaxLength);
        var grown = ArrayPool<uint>.Shared.Rent(Math.Max(atLeast, doubled));
        Items.CopyTo(grown);
        if (items.Length > 0)
        {
            ArrayPool<uint>.Shared.Return(items);
        }

        items = grown;
    }
}
