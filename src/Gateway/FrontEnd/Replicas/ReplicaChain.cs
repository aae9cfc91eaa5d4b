using Metrics.Model;

namespace Metrics.Gateway.FrontEnd;

/// <summary>Makes one series of those that replicas sent of it: follows one replica for as long as it has no gap, then another that has samples there.</summary>
/// <remarks>
/// Samples of two replicas are never interleaved, so that <c>rate</c> doesn't see the distance of their scrapes; and nobody is made to wait before another takes over. A gap is more than twice the
/// usual distance of samples. A stale marker counts only where no other replica goes on.
/// <code>
///   a  ●  ●  ●  ●              ●  ●
///   b   ○  ○  ○  ○  ○  ○  ○  ○  ○
///      ●  ●  ●  ●   ○  ○  ○  ○  ○  then a again, where b ends
/// </code>
/// </remarks>
internal static class ReplicaChain
{
    /// <summary>Appends the chain of some replicas, each ascending in time, to an empty buffer.</summary>
    public static void Merge(IReadOnlyList<SampleBuffer> replicas, SampleBuffer into)
    {
        if (replicas.Count == 1)
        {
            Copy(replicas[0], 0, replicas[0].Count, into);
            return;
        }

        var usual = UsualDistance(replicas);
        var at = new int[replicas.Count];
        var current = Earliest(replicas, at, long.MinValue);
        while (current >= 0)
        {
            var replica = replicas[current];
            var now = replica.Times[at[current]];
            var isStale = IsStale(replica, at[current]);
            var hasNext = at[current] + 1 < replica.Count;
            var next = hasNext ? replica.Times[at[current] + 1] : long.MaxValue;
            var other = isStale || !hasNext || next - now > 2 * usual ? Other(replicas, at, current, isStale ? LastOf(into, now) + (usual / 2) : now + (usual / 2)) : -1;

            // Another replica goes on before this one does.
            var takesOver = other >= 0 && replicas[other].Times[at[other]] < next;
            if (!isStale || !takesOver || replicas[other].Times[at[other]] - now > 2 * usual)
            {
                into.AddFrom(replica, at[current]);
            }

            at[current]++;
            current = takesOver ? other : hasNext ? current : -1;
            if (current >= 0 && into.Count > 0)
            {
                Skip(replicas[current], ref at[current], into.Times[^1]);
                current = at[current] < replicas[current].Count ? current : Earliest(replicas, at, into.Times[^1]);
            }
        }
    }

    /// <summary>The replica whose next sample is the earliest after a time, stale markers aside; moves the others along. -1 when there is none.</summary>
    private static int Other(IReadOnlyList<SampleBuffer> replicas, int[] at, int current, long afterMs)
    {
        var best = -1;
        for (var i = 0; i < replicas.Count; i++)
        {
            if (i == current)
            {
                continue;
            }

            Skip(replicas[i], ref at[i], afterMs);
            while (at[i] < replicas[i].Count && IsStale(replicas[i], at[i]))
            {
                at[i]++;
            }

            if (at[i] < replicas[i].Count && (best < 0 || replicas[i].Times[at[i]] < replicas[best].Times[at[best]]))
            {
                best = i;
            }
        }

        return best;
    }

    private static int Earliest(IReadOnlyList<SampleBuffer> replicas, int[] at, long afterMs)
    {
        var best = -1;
        for (var i = 0; i < replicas.Count; i++)
        {
            Skip(replicas[i], ref at[i], afterMs);
            if (at[i] < replicas[i].Count && (best < 0 || replicas[i].Times[at[i]] < replicas[best].Times[at[best]]))
            {
                best = i;
            }
        }

        return best;
    }

    private static void Skip(SampleBuffer replica, ref int at, long toMs)
    {
        var times = replica.Times;
        while (at < times.Length && times[at] <= toMs)
        {
            at++;
        }
    }

    private static bool IsStale(SampleBuffer replica, int at) =>
        StaleMarker.Is(replica.HasHistograms && replica.Histograms[at] is { } histogram ? histogram.Sum : replica.Values[at]);

    private static long LastOf(SampleBuffer into, long otherwise) => into.Count > 0 ? into.Times[^1] : otherwise;

    /// <summary>The median distance between samples of one replica.</summary>
    private static long UsualDistance(IReadOnlyList<SampleBuffer> replicas)
    {
        var distances = new List<long>();
        foreach (var replica in replicas)
        {
            var times = replica.Times;
            for (var i = 1; i < times.Length; i++)
            {
                distances.Add(times[i] - times[i - 1]);
            }
        }

        if (distances.Count == 0)
        {
            return 0;
        }

        distances.Sort();
        return distances[distances.Count / 2];
    }

    private static void Copy(SampleBuffer from, int start, int end, SampleBuffer into)
    {
        for (var i = start; i < end; i++)
        {
            into.AddFrom(from, i);
        }
    }
}
