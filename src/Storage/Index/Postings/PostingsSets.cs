namespace Metrics.Storage;

/// <summary>Set operations on strictly ascending lists of series references.</summary>
/// <remarks>
/// Lists of similar length are walked side by side. When one is much shorter, the other is galloped through: steps of doubling length, then a
/// binary search (Bentley and Yao, "An almost optimal algorithm for unbounded searching", 1976), so the cost follows the shorter list.
/// Results are written in place over the first list.
/// </remarks>
public static class PostingsSets
{
    // Below this ratio of lengths the plain walk wins: it has no mispredicted search steps.
    private const int GallopRatio = 16;

    /// <summary>Keeps of <paramref name="set"/> what is also in <paramref name="other"/>; returns how many entries remain, at the front.</summary>
    public static int Intersect(Span<uint> set, ReadOnlySpan<uint> other)
    {
        if (set.Length > (long)other.Length * GallopRatio)
        {
            return IntersectIntoLonger(set, other);
        }

        return other.Length > (long)set.Length * GallopRatio ? IntersectWithLonger(set, other) : IntersectSideBySide(set, other);
    }

    /// <summary>Drops from <paramref name="set"/> what is in <paramref name="other"/>; returns how many entries remain, at the front.</summary>
    public static int Subtract(Span<uint> set, ReadOnlySpan<uint> other)
    {
        var gallop = other.Length > (long)set.Length * GallopRatio;
        var kept = 0;
        var at = 0;
        foreach (var reference in set)
        {
            if (gallop)
            {
                at = Seek(other, at, reference);
            }
            else
            {
                while (at < other.Length && other[at] < reference)
                {
                    at++;
                }
            }

            if (at == other.Length || other[at] != reference)
            {
                set[kept++] = reference;
            }
        }

        return kept;
    }

    /// <summary>Writes the union of two lists; returns its length. <paramref name="into"/> needs room for both and overlaps neither.</summary>
    public static int Union(ReadOnlySpan<uint> left, ReadOnlySpan<uint> right, Span<uint> into)
    {
        int l = 0, r = 0, written = 0;
        while (l < left.Length && r < right.Length)
        {
            var a = left[l];
            var b = right[r];
            into[written++] = a <= b ? a : b;
            l += a <= b ? 1 : 0;
            r += b <= a ? 1 : 0;
        }

        left[l..].CopyTo(into[written..]);
        written += left.Length - l;
        right[r..].CopyTo(into[written..]);
        return written + right.Length - r;
    }

    /// <summary>The first position at or after <paramref name="from"/> whose reference is not less than <paramref name="reference"/>; the length when none is.</summary>
    public static int Seek(ReadOnlySpan<uint> list, int from, uint reference)
    {
        if (from >= list.Length || list[from] >= reference)
        {
            return from;
        }

        // Invariant: list[low] < reference, and high is the end or list[high] >= reference.
        var low = from;
        var step = 1;
        while (low + step < list.Length && list[low + step] < reference)
        {
            low += step;
            step = step > list.Length / 2 ? step : step * 2;
        }

        var high = Math.Min((long)low + step, list.Length);
        while (high - low > 1)
        {
            var middle = (int)((low + high) / 2);
            if (list[middle] < reference)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        return (int)high;
    }

    private static int IntersectSideBySide(Span<uint> set, ReadOnlySpan<uint> other)
    {
        int s = 0, o = 0, kept = 0;
        while (s < set.Length && o < other.Length)
        {
            var a = set[s];
            var b = other[o];
            if (a == b)
            {
                set[kept++] = a;
            }

            s += a <= b ? 1 : 0;
            o += b <= a ? 1 : 0;
        }

        return kept;
    }

    private static int IntersectWithLonger(Span<uint> set, ReadOnlySpan<uint> longer)
    {
        int kept = 0, at = 0;
        foreach (var reference in set)
        {
            at = Seek(longer, at, reference);
            if (at == longer.Length)
            {
                break;
            }

            if (longer[at] == reference)
            {
                set[kept++] = reference;
            }
        }

        return kept;
    }

    private static int IntersectIntoLonger(Span<uint> set, ReadOnlySpan<uint> shorter)
    {
        // What is written stays behind what is read: an entry is kept only after the search has passed it.
        int kept = 0, at = 0;
        foreach (var reference in shorter)
        {
            at = Seek(set, at, reference);
            if (at == set.Length)
            {
                break;
            }

            if (set[at] == reference)
            {
                set[kept++] = reference;
                at++;
            }
        }

        return kept;
    }
}
