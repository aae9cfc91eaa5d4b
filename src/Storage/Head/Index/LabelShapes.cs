namespace Metrics.Storage;

/// <summary>The lists of label names that the series of a head have, each kept once: series of one metric share theirs. One writer; readers need no lock.</summary>
internal sealed class LabelShapes
{
    private readonly Dictionary<ulong, List<uint>> byHash = [];
    private uint[][] shapes = [];
    private uint count;

    /// <summary>The names of a shape, as symbols, in the order of the labels.</summary>
    public ReadOnlySpan<uint> this[uint shape] => Volatile.Read(ref shapes)[shape];

    /// <summary>The number of a list of names, given out now if it is new.</summary>
    public uint Intern(ReadOnlySpan<uint> names)
    {
        var hash = Hash(names);
        if (!byHash.TryGetValue(hash, out var candidates))
        {
            byHash[hash] = candidates = [];
        }

        foreach (var candidate in candidates)
        {
            if (names.SequenceEqual(shapes[candidate]))
            {
                return candidate;
            }
        }

        if (count == shapes.Length)
        {
            var grown = new uint[Math.Max(16, shapes.Length * 2)][];
            shapes.CopyTo(grown, 0);
            Volatile.Write(ref shapes, grown);
        }

        Volatile.Write(ref shapes[count], names.ToArray());
        candidates.Add(count);
        return count++;
    }

    private static ulong Hash(ReadOnlySpan<uint> names)
    {
        var hash = 14695981039346656037; // FNV-1a, by words.
        foreach (var name in names)
        {
            hash = (hash ^ name) * 1099511628211;
        }

        return hash;
    }
}

/// <summary>The labels of a series as symbols; name and value of one label have the same index.</summary>
internal readonly ref struct SeriesSymbols(ReadOnlySpan<uint> names, ReadOnlySpan<uint> values)
{
    public ReadOnlySpan<uint> Names { get; } = names;

    public ReadOnlySpan<uint> Values { get; } = values;

    public int Count => Names.Length;
}
