namespace Metrics.Gateway.Search;

/// <summary>The similarity of two texts after Jaro and Winkler: common characters near the same place, those out of order, and up to four equal ones at the beginning.</summary>
/// <remarks>W. E. Winkler, String Comparator Metrics and Enhanced Decision Rules in the Fellegi-Sunter Model of Record Linkage, 1990.</remarks>
internal static class JaroWinklerScore
{
    private const int PrefixMax = 4;
    private const double PrefixWeight = 0.1;

    /// <summary>0 for nothing in common, 1 for the same.</summary>
    public static double Of(ReadOnlySpan<char> one, ReadOnlySpan<char> other)
    {
        if (one.SequenceEqual(other))
        {
            return 1;
        }

        if (one.IsEmpty || other.IsEmpty)
        {
            return 0;
        }

        if (one.Length > other.Length)
        {
            var longer = one;
            one = other;
            other = longer;
        }

        var (inOne, inOther) = (new bool[one.Length], new bool[other.Length]);
        double matches = Match(one, other, inOne, inOther);
        if (matches == 0)
        {
            return 0;
        }

        var jaro = ((matches / one.Length) + (matches / other.Length) + ((matches - (OutOfOrder(one, other, inOne, inOther) * 0.5)) / matches)) / 3;
        var prefix = Math.Min(PrefixMax, one.CommonPrefixLength(other));
        return jaro + (prefix * PrefixWeight * (1 - jaro));
    }

    private static int Match(ReadOnlySpan<char> one, ReadOnlySpan<char> other, bool[] inOne, bool[] inOther)
    {
        var matches = 0;
        var distance = Math.Max((other.Length / 2) - 1, 0);
        for (var i = 0; i < one.Length; i++)
        {
            for (var j = Math.Max(i - distance, 0); j < Math.Min(i + distance + 1, other.Length); j++)
            {
                if (!inOther[j] && one[i] == other[j])
                {
                    inOne[i] = inOther[j] = true;
                    matches++;
                    break;
                }
            }
        }

        return matches;
    }

    private static int OutOfOrder(ReadOnlySpan<char> one, ReadOnlySpan<char> other, bool[] inOne, bool[] inOther)
    {
        var (count, next) = (0, 0);
        for (var i = 0; i < one.Length; i++)
        {
            if (!inOne[i])
            {
                continue;
            }

            while (!inOther[next])
            {
                next++;
            }

            count += one[i] == other[next++] ? 0 : 1;
        }

        return count;
    }
}
