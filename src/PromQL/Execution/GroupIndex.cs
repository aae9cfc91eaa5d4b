using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>Numbers distinct label sets from 0 in the order they come. Looking one up allocates nothing.</summary>
internal sealed class GroupIndex
{
    private readonly Dictionary<ulong, int> byHash = [];
    private readonly List<Labels> groups = [];
    private readonly List<int> next = [];

    /// <summary>The distinct label sets.</summary>
    public List<Labels> Groups => groups;

    /// <summary>The number of a label set, given now if it is new.</summary>
    public int Add(ReadOnlySpan<byte> canonical)
    {
        var hash = SeriesHash.Of(canonical);
        if (byHash.TryGetValue(hash, out var at))
        {
            for (var i = at; ; i = next[i])
            {
                if (groups[i].Encoded.SequenceEqual(canonical))
                {
                    return i;
                }

                if (next[i] < 0)
                {
                    next[i] = groups.Count;
                    break;
                }
            }
        }
        else
        {
            byHash.Add(hash, groups.Count);
        }

        groups.Add(Labels.FromEncoded(canonical));
        next.Add(-1);
        return groups.Count - 1;
    }
}
