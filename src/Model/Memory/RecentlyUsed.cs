using System.Diagnostics.CodeAnalysis;

namespace Metrics.Model;

/// <summary>Values by key, within bounds of bytes and of items: the least recently used go first. Not thread-safe: guarded by its owner's lock.</summary>
/// <typeparam name="TKey">What is looked up.</typeparam>
/// <typeparam name="TValue">What is kept.</typeparam>
/// <param name="maxBytes">The most bytes, as the owner counts them; 0 for no bound.</param>
/// <param name="maxItems">The most items; 0 for no bound.</param>
public sealed class RecentlyUsed<TKey, TValue>(long maxBytes, long maxItems)
    where TKey : notnull
{
    private readonly Dictionary<TKey, LinkedListNode<Item>> items = [];

    // The first is the one that was used last.
    private readonly LinkedList<Item> byUse = [];

    /// <summary>The items held.</summary>
    public int Count => items.Count;

    /// <summary>Their bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>Items that had to go for room.</summary>
    public long Evictions { get; private set; }

    /// <summary>What is kept under a key, which is used thereby.</summary>
    public bool TryGet(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        if (!items.TryGetValue(key, out var node))
        {
            value = default;
            return false;
        }

        byUse.Remove(node);
        byUse.AddFirst(node);
        value = node.Value.Value;
        return true;
    }

    /// <summary>Keeps a value in place of what was under the key. One that is larger than all may be is not kept.</summary>
    public void Set(TKey key, TValue value, long bytes)
    {
        Remove(key);
        if (maxBytes > 0 && bytes > maxBytes)
        {
            return;
        }

        items.Add(key, byUse.AddFirst(new Item(key, value, bytes)));
        Bytes += bytes;
        while ((maxBytes > 0 && Bytes > maxBytes) || (maxItems > 0 && items.Count > maxItems))
        {
            Remove(byUse.Last!.Value.Key);
            Evictions++;
        }
    }

    /// <summary>Forgets what is under a key, if anything is.</summary>
    public void Remove(TKey key)
    {
        if (items.Remove(key, out var node))
        {
            byUse.Remove(node);
            Bytes -= node.Value.Bytes;
        }
    }

    /// <summary>Forgets what is under the keys for which this is true; looks at all.</summary>
    public void RemoveAll(Predicate<TKey> match)
    {
        // A dictionary may lose items while it is walked.
        foreach (var key in items.Keys)
        {
            if (match(key))
            {
                Remove(key);
            }
        }
    }

    private readonly record struct Item(TKey Key, TValue Value, long Bytes);
}
