namespace Metrics.Model;

/// <summary>Numbers distinct label sets from 0 in the order they come. Looking one up allocates nothing. Not thread-safe.</summary>
public sealed class LabelSetIndex
{
    private readonly Dictionary<ulong, int> byHash = [];
    private readonly List<Labels> sets = [];
    private readonly List<int> next = [];

    /// <summary>The distinct label sets, by number.</summary>
    public IReadOnlyList<Labels> Sets => sets;

    /// <summary>The number of a label set in canonical form, given now if it is new.</summary>
    public int Add(ReadOnlySpan<byte> canonical)
    {
        var hash = SeriesHash.Of(canonical);
        if (byHash.TryGetValue(hash, out var at))
        {
            for (var i = at; ; i = next[i])
            {
                if (sets[i].Encoded.SequenceEqual(canonical))
                {
                    return i;
                }

                if (next[i] < 0)
                {
                    next[i] = sets.Count;
                    break;
                }
            }
        }
        else
        {
            byHash.Add(hash, sets.Count);
        }

        sets.Add(Labels.FromEncoded(canonical));
        next.Add(-1);
        return sets.Count - 1;
    }
}
