using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Groups series by some of their labels as symbols: no text is looked at, or made, but once for each group.</summary>
/// <remarks>Which labels of a shape are in the subset is found out once per shape. One query's; not thread-safe.</remarks>
internal sealed class SymbolGroups : IDisposable
{
    private readonly Head head;
    private readonly LabelSubset subset;
    private readonly Dictionary<uint, int[]> keptByShape = [];

    // Of each group name and value symbols in turn, one group behind the other.
    private readonly PooledList<uint> symbols = new(64);
    private readonly PooledList<Group> groups = new();
    private readonly HashNumbers numbers = new();
    private uint lastShape = uint.MaxValue;
    private int[] lastKept = [];

    public SymbolGroups(Head head, LabelSubset subset)
    {
        this.head = head;
        this.subset = subset;
    }

    /// <summary>The number of the group that a series is in, given now if it is new.</summary>
    public int Add(uint reference)
    {
        var labels = head.SymbolsOf(reference, out var shape);
        var kept = shape == lastShape ? lastKept : KeptOf(shape, labels.Names);
        var hash = (ulong)kept.Length;
        foreach (var at in kept)
        {
            hash = (hash ^ (labels.Names[at] + ((ulong)labels.Values[at] << 32))) * 0x9E3779B97F4A7C15;
            hash ^= hash >> 29;
        }

        var found = numbers.Find(hash);
        while (found.Next(out var number))
        {
            if (Is(groups[number], labels, kept))
            {
                return number;
            }
        }

        groups.Add(new Group(symbols.Count, kept.Length));
        foreach (var at in kept)
        {
            symbols.Add(labels.Names[at]);
            symbols.Add(labels.Values[at]);
        }

        return numbers.Add(found);
    }

    /// <summary>The groups as labels, by number.</summary>
    public Labels[] ToLabels()
    {
        var made = new Labels[groups.Count];
        var arena = new LabelsArena();
        var scratch = new byte[256];
        Span<uint> names = stackalloc uint[32];
        Span<uint> values = stackalloc uint[32];
        for (var i = 0; i < made.Length; i++)
        {
            var (first, count) = groups[i];
            if (count > names.Length)
            {
                names = new uint[count];
                values = new uint[count];
            }

            for (var at = 0; at < count; at++)
            {
                (names[at], values[at]) = (symbols[first + (2 * at)], symbols[first + (2 * at) + 1]);
            }

            made[i] = arena.Add(SymbolText.Write(head.Symbols, new SeriesSymbols(names[..count], values[..count]), ref scratch));
        }

        return made;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        symbols.Dispose();
        groups.Dispose();
        numbers.Dispose();
    }

    private int[] KeptOf(uint shape, ReadOnlySpan<uint> names)
    {
        if (!keptByShape.TryGetValue(shape, out var kept))
        {
            var places = new List<int>();
            for (var i = 0; i < names.Length; i++)
            {
                if (subset.Keeps(head.Symbols[names[i]]))
                {
                    places.Add(i);
                }
            }

            keptByShape.Add(shape, kept = [.. places]);
        }

        (lastShape, lastKept) = (shape, kept);
        return kept;
    }

    private bool Is(in Group group, SeriesSymbols labels, int[] kept)
    {
        if (group.Labels != kept.Length)
        {
            return false;
        }

        var own = symbols.Items.Slice(group.First, 2 * group.Labels);
        for (var i = 0; i < kept.Length; i++)
        {
            if (own[2 * i] != labels.Names[kept[i]] || own[(2 * i) + 1] != labels.Values[kept[i]])
            {
                return false;
            }
        }

        return true;
    }

    private readonly record struct Group(int First, int Labels);
}
