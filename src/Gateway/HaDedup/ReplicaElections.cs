using System.Collections.Concurrent;
using Metrics.Cluster;
using Metrics.Gateway.RemoteWrite;
using Metrics.Model;

namespace Metrics.Gateway.HaDedup;

/// <summary>Which replica of each pair of senders this gateway listens to. Thread-safe.</summary>
/// <remarks>
/// <see cref="ReplicaElector"/> decides, in a cluster for all gateways. Its answer holds for the fail-over time after the elected replica was last heard, and this gateway goes by it as long; while it hears the
/// elected one it says so every <c>update_interval</c>, behind the writes. So a write waits for the elector only when a pair is new here, or nobody has heard its elected replica for the fail-over time,
/// and no two gateways listen to different replicas of a pair.
/// When the elector can't be asked, the replica known last stays elected: it is taken, and the other is told to come again, for it may be the only one left. After a fail-over time of that, this gateway elects for itself, as if
/// it were alone, until the elector is back: what two replicas sent meanwhile is there twice at most, and nothing is lost.
/// </remarks>
/// <param name="elector">Who decides.</param>
/// <param name="time">The clock.</param>
/// <param name="failover">How long the elected replica may be silent.</param>
/// <param name="updateEvery">How often the elector hears of the elected one, which it hears all the time.</param>
internal sealed class ReplicaElections(IReplicaElector elector, TimeProvider time, TimeSpan failover, TimeSpan updateEvery)
{
    /// <summary>How long a write waits for the elector.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(2);

    /// <summary>An elector that did not answer is asked again after so long.</summary>
    private static readonly TimeSpan askAgainAfter = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<TenantId, Dictionary<string, Pair>> tenants = new();
    private long failovers;

    /// <summary>Elections so far that went to another replica than before, because of a write that came here.</summary>
    public long Failovers => Interlocked.Read(ref failovers);

    /// <summary>Hears of a replica; true when it is the elected one of its cluster. At once, unless the elector has to be asked first.</summary>
    /// <exception cref="WriteRefusal">400: the cluster is new and the tenant has as many as it may. 503: nobody can say now.</exception>
    public ValueTask<bool> AdmitsAsync(TenantId tenant, string cluster, string replica, int maxClusters)
    {
        var pair = PairOf(tenant, cluster, maxClusters);
        lock (pair)
        {
            var now = time.GetTimestamp();
            pair.UsedAt = now;
            var isKnown = now <= pair.HoldsUntil && pair.Elected is not null;
            if (!isKnown && !pair.IsAway)
            {
                return AskedAsync(tenant, cluster, pair, replica, maxClusters);
            }

            if (!isKnown)
            {
                UpdateBehind(tenant, cluster, pair, replica, maxClusters, now);
                return ValueTask.FromResult(pair.IsAway ? JudgeAlone(pair, replica, now) : Judge(pair, replica, now));
            }

            if (!Judge(pair, replica, now))
            {
                return ValueTask.FromResult(false);
            }

            UpdateBehind(tenant, cluster, pair, replica, maxClusters, now);
            return ValueTask.FromResult(pair.Elected == replica);
        }
    }

    /// <summary>The clusters of a tenant that this gateway knows, each with the replica elected and how long ago that was heard here; a copy, for status pages.</summary>
    public IReadOnlyList<(string Cluster, string Replica, TimeSpan Ago)> Of(TenantId tenant)
    {
        if (!tenants.TryGetValue(tenant, out var clusters))
        {
            return [];
        }

        lock (clusters)
        {
            return [.. clusters.Where(static c => c.Value.Elected is not null).Select(c => (c.Key, c.Value.Elected!, time.GetElapsedTime(c.Value.HeardAt)))];
        }
    }

    private static bool Judge(Pair pair, string replica, long now)
    {
        if (pair.Elected != replica)
        {
            return false;
        }

        pair.HeardAt = now;
        return true;
    }

    /// <summary>What is decided without the elector.</summary>
    private bool JudgeAlone(Pair pair, string replica, long now)
    {
        if (Judge(pair, replica, now))
        {
            return true;
        }

        if (time.GetElapsedTime(Math.Max(pair.HoldsUntil, pair.HeardAt), now) <= failover)
        {
            throw WriteRefusal.Busy("which replica of a pair of senders is listened to can't be asked for now");
        }

        Interlocked.Add(ref failovers, pair.Elected is null ? 0 : 1);
        (pair.Elected, pair.HeardAt) = (replica, now);
        return true;
    }

    /// <summary>Asks the elector, with all who ask at the same time, and goes by what it says.</summary>
    private async ValueTask<bool> AskedAsync(TenantId tenant, string cluster, Pair pair, string replica, int maxClusters)
    {
        while (true)
        {
            var (asking, isOwn) = Ask(tenant, cluster, pair, replica, maxClusters);
            await asking;
            lock (pair)
            {
                var now = time.GetTimestamp();
                if (pair.IsAway)
                {
                    return JudgeAlone(pair, replica, now);
                }

                if (isOwn || now <= pair.HoldsUntil)
                {
                    return Judge(pair, replica, now);
                }
            }
        }
    }

    /// <summary>Tells the elector, if that is due, that a replica is heard; nobody waits for it.</summary>
    private void UpdateBehind(TenantId tenant, string cluster, Pair pair, string replica, int maxClusters, long now)
    {
        // What it knows runs out a fail-over time after it last heard of the elected one.
        var isDue = pair.IsAway ? time.GetElapsedTime(pair.AskedAt, now) >= askAgainAfter : time.GetElapsedTime(now, pair.HoldsUntil) <= failover - updateEvery;
        if (pair.Asking is null && isDue)
        {
            _ = UpdateAsync();
        }

        async Task UpdateAsync()
        {
            try
            {
                await Ask(tenant, cluster, pair, replica, maxClusters).Asking;
            }
            catch (WriteRefusal)
            {
                // The elector has no room for the pair any more; the next write asks for itself, and hears so.
            }
        }
    }

    private (Task Asking, bool IsOwn) Ask(TenantId tenant, string cluster, Pair pair, string replica, int maxClusters)
    {
        lock (pair)
        {
            if (pair.Asking is { } running)
            {
                return (running, false);
            }

            pair.AskedAt = time.GetTimestamp();
            var asking = AskAsync(tenant, new ReplicaSighting(cluster, replica, pair.Elected, failover, maxClusters), pair);
            pair.Asking = asking.IsCompleted ? null : asking;
            return (asking, true);
        }
    }

    private async Task AskAsync(TenantId tenant, ReplicaSighting seen, Pair pair)
    {
        try
        {
            var answer = elector.HearAsync(tenant, seen, CancellationToken.None);
            var election = answer.IsCompleted ? await answer : await answer.AsTask().WaitAsync(patience, time);
            if (election.Elected is null)
            {
                Forget(tenant, seen.Cluster, pair);
                throw TooMany(tenant, seen.Cluster, seen.MaxClusters);
            }

            lock (pair)
            {
                pair.IsAway = false;
                pair.Elected = election.Elected;
                pair.HoldsUntil = pair.AskedAt + (long)(election.HoldsFor.TotalSeconds * time.TimestampFrequency);
            }

            Interlocked.Add(ref failovers, election.IsFailover ? 1 : 0);
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            lock (pair)
            {
                pair.IsAway = true;
            }
        }
        finally
        {
            lock (pair)
            {
                pair.Asking = null;
            }
        }
    }

    private Pair PairOf(TenantId tenant, string cluster, int maxClusters)
    {
        var clusters = tenants.GetOrAdd(tenant, static _ => new Dictionary<string, Pair>(StringComparer.Ordinal));
        lock (clusters)
        {
            if (clusters.TryGetValue(cluster, out var known))
            {
                return known;
            }

            // One more than the limit, so that it is the elector's to refuse.
            var now = time.GetTimestamp();
            if (maxClusters > 0 && clusters.Count > maxClusters)
            {
                foreach (var (name, pair) in clusters)
                {
                    if (time.GetElapsedTime(pair.UsedAt, now) > ReplicaElector.ForgetAfter)
                    {
                        clusters.Remove(name); // Removing the current entry does not disturb the enumeration.
                    }
                }

                if (clusters.Count > maxClusters)
                {
                    throw TooMany(tenant, cluster, maxClusters);
                }
            }

            var made = new Pair(now);
            clusters.Add(cluster, made);
            return made;
        }
    }

    private void Forget(TenantId tenant, string cluster, Pair pair)
    {
        if (tenants.TryGetValue(tenant, out var clusters))
        {
            lock (clusters)
            {
                if (clusters.GetValueOrDefault(cluster) == pair)
                {
                    clusters.Remove(cluster);
                }
            }
        }
    }

    private static WriteRefusal TooMany(TenantId tenant, string cluster, int maxClusters) => new(
        StatusCodes.Status400BadRequest,
        $"tenant {tenant} exceeds its limit ha_max_clusters of {maxClusters} clusters of replicas, got cluster '{cluster[..Math.Min(cluster.Length, 200)]}' (err-mimir-too-many-ha-clusters)");

    /// <summary>What this gateway knows of a pair; guarded by itself.</summary>
    private sealed class Pair(long now)
    {
        /// <summary>The replica listened to; null until that is known.</summary>
        public string? Elected { get; set; }

        /// <summary>Until then, inclusive, no other is elected; from the beginning on when nothing is known.</summary>
        public long HoldsUntil { get; set; } = now;

        /// <summary>When the elected one was last heard here.</summary>
        public long HeardAt { get; set; }

        /// <summary>When any of the pair was.</summary>
        public long UsedAt { get; set; } = now;

        /// <summary>When the elector was last asked.</summary>
        public long AskedAt { get; set; }

        /// <summary>True when it did not answer the last time.</summary>
        public bool IsAway { get; set; }

        /// <summary>The question under way; null for none.</summary>
        public Task? Asking { get; set; }
    }
}
