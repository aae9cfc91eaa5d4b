using System.Numerics;

namespace Metrics.Model;

/// <summary>Numbers things from 0 in the order they come, and finds their numbers by hash. What they are and when two are equal is the owner's. Not thread-safe.</summary>
/// <remarks>
/// Open addressing with linear probing, half full at most, in pooled memory.
/// <code>
/// var found = numbers.Find(hash);
/// while (found.Next(out var number))
/// {
///     if (IsEqual(number, thing))
///     {
///         return number;
///     }
/// }
///
/// Keep(thing);
/// return numbers.Add(found);
/// </code>
/// </remarks>
public sealed class HashNumbers : IDisposable
{
    private readonly PooledList<ulong> hashes;
    private PooledList<int> slots; // Numbers from 1; a power of two.

    /// <summary>Creates it.</summary>
    /// <param name="capacity">Things that it takes before it grows.</param>
    public HashNumbers(int capacity = 32)
    {
        hashes = new PooledList<ulong>(capacity);
        slots = Slots((int)BitOperations.RoundUpToPowerOf2(2 * (uint)Math.Max(1, capacity)));
    }

    /// <summary>The number of things.</summary>
    public int Count => hashes.Count;

    /// <summary>Looks for what has a hash; valid until the next is added.</summary>
    public Search Find(ulong hash) => new(hashes.Items, slots.Items, hash);

    /// <summary>Gives a number to what a search did not find; it must have come to its end.</summary>
    public int Add(Search search)
    {
        slots[search.Slot] = hashes.Count + 1;
        hashes.Add(search.Hash);
        if (2 * hashes.Count > slots.Count)
        {
            Grow();
        }

        return hashes.Count - 1;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        hashes.Dispose();
        slots.Dispose();
    }

    private static PooledList<int> Slots(int count)
    {
        var empty = new PooledList<int>(count);
        empty.Extend(count).Clear();
        return empty;
    }

    private void Grow()
    {
        var grown = Slots(2 * slots.Count);
        var table = grown.Items;
        for (var number = 0; number < hashes.Count; number++)
        {
            var slot = (int)hashes[number] & (table.Length - 1);
            while (table[slot] != 0)
            {
                slot = (slot + 1) & (table.Length - 1);
            }

            table[slot] = number + 1;
        }

        slots.Dispose();
        slots = grown;
    }

    /// <summary>Goes through the numbers of things that have a hash.</summary>
    public ref struct Search
    {
        private readonly ReadOnlySpan<ulong> hashes;
        private readonly ReadOnlySpan<int> slots;

        internal Search(ReadOnlySpan<ulong> hashes, ReadOnlySpan<int> slots, ulong hash)
        {
            this.hashes = hashes;
            this.slots = slots;
            Hash = hash;
            Slot = (int)hash & (slots.Length - 1);
        }

        internal readonly ulong Hash { get; }

        /// <summary>Where it goes on; at its end, a free slot.</summary>
        internal int Slot { get; private set; }

        /// <summary>The next number; false, and -1, when there is none any more.</summary>
        public bool Next(out int number)
        {
            for (; slots[Slot] != 0; Slot = (Slot + 1) & (slots.Length - 1))
            {
                number = slots[Slot] - 1;
                if (hashes[number] == Hash)
                {
                    Slot = (Slot + 1) & (slots.Length - 1);
                    return true;
                }
            }

            number = -1;
            return false;
        }
    }
}
