using System.Runtime.InteropServices;
using Metrics.Model;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage;

/// <summary>From matchers to series: the references of the series for which all matchers hold.</summary>
/// <remarks>
/// The semantics of Prometheus's <c>PostingsForMatchers</c> (tsdb/querier.go): a series without a label has the empty value there. A matcher that
/// does not hold for the empty value narrows (intersects); one that does hold for it removes (subtracts) the series whose value it refuses.
/// Cost: one look-up per literal, one pass over a name's values per pattern.
/// </remarks>
public static class PostingsSelection
{
    /// <summary>Appends the references, ascending. No matcher selects everything.</summary>
    public static void Select(IPostingsSource source, IReadOnlyList<Matcher> matchers, PostingsBuffer into)
    {
        ArgumentNullException.ThrowIfNull(into);
        using var result = new PostingsBuffer();
        using var other = new PostingsBuffer();
        using var union = new PostingsUnion();
        var narrowed = false;
        var narrowing = Ordered(matchers, narrowing: true);
        PrefetchPairs(source, narrowing);
        foreach (var matcher in narrowing)
        {
            other.Clear();
            AddAccepted(source, matcher, union, other);
            if (narrowed)
            {
                result.Truncate(PostingsSets.Intersect(result.Writable, other.Items));
            }
            else
            {
                result.Swap(other);
                narrowed = true;
            }

            if (result.Count == 0)
            {
                return;
            }
        }

        if (!narrowed)
        {
            source.AddAll(result);
        }

        foreach (var matcher in Ordered(matchers, narrowing: false))
        {
            other.Clear();
            AddRefused(source, matcher, union, other);
            result.Truncate(PostingsSets.Subtract(result.Writable, other.Items));
        }

        into.Add(result.Items);
    }

    // Equality first: it costs one look-up and may end the selection before a pattern walks every value.
    private static List<Matcher> Ordered(IReadOnlyList<Matcher> matchers, bool narrowing)
    {
        var picked = new List<Matcher>(matchers.Count);
        foreach (var matcher in matchers)
        {
            if (matcher.MatchesEmpty == narrowing || matcher is { Type: MatchType.Regex, Value: ".*" })
            {
                continue;
            }

            picked.Insert(matcher.Type == MatchType.Equal ? 0 : picked.Count, matcher);
        }

        return picked;
    }

    // A source that is far away gives all lists in the time of one; any other finds a single list where it lies.
    private static void PrefetchPairs(IPostingsSource source, List<Matcher> matchers)
    {
        if (!source.IsRemote || matchers.Count < 2 || matchers[1].Type != MatchType.Equal)
        {
            return;
        }

        var lists = new List<long>(matchers.Count);
        foreach (var matcher in matchers)
        {
            if (matcher.Type != MatchType.Equal)
            {
                continue;
            }

            if (!source.TryFindList(matcher.NameBytes, System.Text.Encoding.UTF8.GetBytes(matcher.Value), out var list))
            {
                return; // Nothing will be found.
            }

            lists.Add(list);
        }

        source.PrefetchLists(CollectionsMarshal.AsSpan(lists));
    }

    private static void AddAccepted(IPostingsSource source, Matcher matcher, PostingsUnion union, PostingsBuffer into)
    {
        if (matcher.Type == MatchType.Equal)
        {
            AddPair(source, matcher, into);
            return;
        }

        if (matcher.Type == MatchType.Regex && LiteralPattern.Alternatives(matcher.Value) is { } values)
        {
            AddPairs(source, matcher, values, union, into);
            return;
        }

        AddValues(source, matcher, accept: true, union, into);
    }

    private static void AddRefused(IPostingsSource source, Matcher matcher, PostingsUnion union, PostingsBuffer into)
    {
        if (matcher.Type == MatchType.NotEqual)
        {
            AddPair(source, matcher, into);
            return;
        }

        if (matcher.Type == MatchType.NotRegex && LiteralPattern.Alternatives(matcher.Value) is { } values)
        {
            AddPairs(source, matcher, values, union, into);
            return;
        }

        AddValues(source, matcher, accept: false, union, into);
    }

    private static void AddPair(IPostingsSource source, Matcher matcher, PostingsBuffer into)
    {
        if (source.TryFindList(matcher.NameBytes, System.Text.Encoding.UTF8.GetBytes(matcher.Value), out var list))
        {
            source.AddList(list, into);
        }
    }

    private static void AddPairs(IPostingsSource source, Matcher matcher, HashSet<string> values, PostingsUnion union, PostingsBuffer into)
    {
        var lists = new List<long>(values.Count);
        foreach (var value in values)
        {
            if (value.Length > 0 && source.TryFindList(matcher.NameBytes, System.Text.Encoding.UTF8.GetBytes(value), out var list))
            {
                lists.Add(list);
            }
        }

        union.Add(source, CollectionsMarshal.AsSpan(lists));
        union.MoveTo(into);
    }

    private static void AddValues(IPostingsSource source, Matcher matcher, bool accept, PostingsUnion union, PostingsBuffer into)
    {
        var collector = new ListCollector(matcher, accept);
        source.VisitValues(matcher.NameBytes, collector);
        union.Add(source, CollectionsMarshal.AsSpan(collector.Lists));
        union.MoveTo(into);
    }

    private sealed class ListCollector(Matcher matcher, bool accept) : ILabelValueVisitor
    {
        public List<long> Lists { get; } = [];

        public bool Visit(ReadOnlySpan<byte> value, long list)
        {
            if (matcher.Matches(value) == accept)
            {
                Lists.Add(list);
            }

            return true;
        }
    }
}
