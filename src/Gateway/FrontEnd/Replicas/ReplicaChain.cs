using Metrics.Model;

namespace Metrics.Gateway.FrontEnd;

/// <summary>Makes one series of those that replicas sent of it: the first replica's, in a given order, and where that has a gap, the next one's.</summary>
/// <remarks>
/// <code>
///   a  ●  ●  ●  ●                 ●  ●
///   b   ○  ○  ○  ○  ○  ○  ○  ○  ○  ○  ○
///      ●  ●  ●  ●      ○  ○  ○  ○ ●  ●     once a has been silent for one and a half scrapes
/// </code>
/// Whether a sample is in the chain depends on samples at most <see cref="ReachMs"/> before it and on none after it: so the chain of a day is the same whether the day is read by itself or within a month, as a query
/// that is answered in parts needs it, and what is settled stays so.
/// <list type="bullet">
/// <item>A replica sends, at an instant, when its last sample is no stale marker and not older than one and a half times the usual distance of samples, nor than <see cref="SilenceMs"/>. The usual distance is the median of the last
/// three, the shorter one of the two replicas that are compared: one scrape that was lost, or one that came early, does not move it, nor does a replica that is up now and then.</item>
/// <item>A sample counts when none of the replicas before its own sends; a stale marker when no other replica sends at all, for then the target is gone and not a replica.</item>
/// <item>Of two samples of different replicas that count, and are nearer than half that distance, the later one is left out. So <c>rate</c> doesn't see the distance of two replicas' scrapes, nor a counter go back because
/// one of them was slow.</item>
/// </list>
/// </remarks>
internal static class ReplicaChain
{
    /// <summary>A replica that is silent for so long sends no more, however far apart its samples are: as long as queries look back by themselves. Milliseconds.</summary>
    public const long SilenceMs = 5 * 60_000;

    /// <summary>Samples that are this much older than another one, or more, have no say in whether that is in the chain: those that it may be too near to are at most half <see cref="SilenceMs"/> older. Milliseconds.</summary>
    public const long ReachMs = SilenceMs * 3 / 2;

    private const int FewReplicas = 16;
    private const int SamplesPerCheck = 4096;

    /// <summary>Appends the chain from an instant on.</summary>
    /// <param name="replicas">The samples of each replica, the preferred one first; for the chain to be right from the start, from <see cref="ReachMs"/> before <paramref name="fromMs"/>.</param>
    /// <param name="fromMs">The first instant that is wanted.</param>
    /// <param name="into">An empty buffer. All that the replicas' chunks cost is noted there.</param>
    /// <param name="cancellation">Ends it.</param>
    public static void Merge(ReadOnlySpan<SampleBuffer> replicas, long fromMs, SampleBuffer into, CancellationToken cancellation)
    {
        foreach (var replica in replicas)
        {
            into.NoteEncoded(replica.EncodedBytes, replica.EncodedChunks);
        }

        if (replicas.Length == 1)
        {
            into.AddAllFrom(replicas[0], FirstFrom(replicas[0], fromMs));
            return;
        }

        var few = replicas.Length <= FewReplicas;
        var walk = new Walk(
            replicas,
            few ? stackalloc int[replicas.Length] : new int[replicas.Length],
            few ? stackalloc long[replicas.Length] : new long[replicas.Length],
            few ? stackalloc long[replicas.Length] : new long[replicas.Length]);
        for (var taken = 1; walk.Next() is { } replica; taken++)
        {
            if (walk.NowMs >= fromMs && replica >= 0 && !walk.IsTooNear(replica))
            {
                into.AddFrom(replicas[replica], walk.LastOf(replica));
            }

            walk.Count(replica);
            if (taken % SamplesPerCheck == 0)
            {
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>The index of the first sample at or after an instant; the number of samples when there is none.</summary>
    public static int FirstFrom(SampleBuffer replica, long fromMs)
    {
        var found = replica.Times.BinarySearch(fromMs);
        return found >= 0 ? found : ~found;
    }

    /// <summary>Goes through the instants at which any replica has a sample.</summary>
    private ref struct Walk
    {
        private readonly ReadOnlySpan<SampleBuffer> replicas;

        // Of each replica: the number of samples that are not after now, the time of the first one that is, and of the last one that counts.
        private readonly Span<int> passed;
        private readonly Span<long> next;
        private readonly Span<long> counted;
        private int left;

        public Walk(ReadOnlySpan<SampleBuffer> replicas, Span<int> passed, Span<long> next, Span<long> counted)
        {
            this.replicas = replicas;
            this.passed = passed;
            this.next = next;
            this.counted = counted;
            passed.Clear();
            counted.Fill(long.MinValue);
            for (var i = 0; i < replicas.Length; i++)
            {
                next[i] = replicas[i].Count > 0 ? replicas[i].Times[0] : long.MaxValue;
                left += replicas[i].Count;
            }
        }

        /// <summary>The instant at hand.</summary>
        public long NowMs { get; private set; }

        /// <summary>Goes to the next instant; the replica whose sample there counts, -1 when none does, null at the end.</summary>
        public int? Next()
        {
            if (left == 0)
            {
                return null;
            }

            var now = long.MaxValue;
            foreach (var time in next)
            {
                now = Math.Min(now, time);
            }

            NowMs = now;
            for (var i = 0; i < next.Length; i++)
            {
                if (next[i] == now && passed[i] < replicas[i].Count)
                {
                    left--;
                    passed[i]++;
                    next[i] = passed[i] < replicas[i].Count ? replicas[i].Times[passed[i]] : long.MaxValue;
                }
            }

            for (var i = 0; i < next.Length; i++)
            {
                if (passed[i] > 0 && replicas[i].Times[passed[i] - 1] == now && Counts(i))
                {
                    return i;
                }
            }

            return -1;
        }

        /// <summary>Notes that a replica's sample counts.</summary>
        public readonly void Count(int replica)
        {
            if (replica >= 0)
            {
                counted[replica] = NowMs;
            }
        }

        /// <summary>The index of a replica's sample at hand.</summary>
        public readonly int LastOf(int replica) => passed[replica] - 1;

        /// <summary>True when another replica's sample that counts is too near.</summary>
        public readonly bool IsTooNear(int replica)
        {
            for (var i = 0; i < counted.Length; i++)
            {
                if (i != replica && counted[i] > NowMs - (SilenceMs / 2) && counted[i] > NowMs - (UsualDistance(i, replica) / 2))
                {
                    return true;
                }
            }

            return false;
        }

        private readonly bool Counts(int replica)
        {
            var others = IsStale(replica) ? replicas.Length : replica;
            for (var i = 0; i < others; i++)
            {
                if (i != replica && Sends(i, replica))
                {
                    return false;
                }
            }

            return true;
        }

        private readonly bool Sends(int replica, int another)
        {
            if (passed[replica] == 0)
            {
                return false;
            }

            var age = NowMs - replicas[replica].Times[passed[replica] - 1];
            return age is >= 0 and < SilenceMs && !IsStale(replica) && (UsualDistance(replica, another) is not (> 0 and var usual) || 2 * age <= 3 * usual);
        }

        private readonly bool IsStale(int replica)
        {
            var (samples, at) = (replicas[replica], passed[replica] - 1);
            return StaleMarker.Is(samples.HasHistograms && samples.Histograms[at] is { } histogram ? histogram.Sum : samples.Values[at]);
        }

        /// <summary>The shorter one of two replicas' usual distances; 0 when neither is known.</summary>
        private readonly long UsualDistance(int one, int another)
        {
            var (a, b) = (UsualDistance(one), UsualDistance(another));
            return a == 0 ? b : b == 0 ? a : Math.Min(a, b);
        }

        /// <summary>The median of the last three distances, of two the shorter; 0 when there is none within <see cref="SilenceMs"/>.</summary>
        private readonly long UsualDistance(int replica)
        {
            var times = replicas[replica].Times[..passed[replica]];
            var (first, second, third) = (Distance(times, 1), Distance(times, 2), Distance(times, 3));
            return second == 0 ? first
                : third == 0 ? Math.Min(first, second)
                : Math.Max(Math.Min(first, second), Math.Min(Math.Max(first, second), third));
        }

        private readonly long Distance(ReadOnlySpan<long> times, int fromEnd) =>
            times.Length > fromEnd && NowMs - times[^(fromEnd + 1)] is >= 0 and < SilenceMs ? times[^fromEnd] - times[^(fromEnd + 1)] : 0;
    }
}
