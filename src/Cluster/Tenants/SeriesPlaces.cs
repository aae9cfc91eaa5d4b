using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>This process's places for active series of a tenant whose shards are on several: how many it was given, how many it uses, and when it asks for more. Thread-safe.</summary>
/// <remarks>
/// Batches that carry series wait, before they are taken, until there are places for all of them, or it is known that there are none. Series that come with a shard that is opened bring their
/// places, and take them along when it is closed. When the ledger can't be asked, this process goes by what it last heard of the others: it may then make as many series as the limit leaves.
/// </remarks>
internal sealed class SeriesPlaces(TenantId tenant, ISeriesLedger ledger, TimeProvider time)
{
    /// <summary>How long a batch waits for the ledger.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(2);

    /// <summary>After it was told that there are none, or nothing, it does not ask for so long.</summary>
    private static readonly TimeSpan askAgainAfter = TimeSpan.FromSeconds(1);

    /// <summary>Questions of one batch: what was given to it may have gone to another.</summary>
    private const int QuestionsMax = 3;

    private readonly Lock gate = new();
    private long used;
    private long given;
    private long givenUnder;
    private int moves;
    private int movesTold;
    private long waiting;
    private long ofOthers;
    private long granted;
    private long since;
    private long? deniedAt;
    private Task? asking;

    /// <summary>Series here.</summary>
    public long Used
    {
        get
        {
            lock (gate)
            {
                return used;
            }
        }
    }

    /// <summary>True when all places are used and no more could be had.</summary>
    public bool IsFull
    {
        get
        {
            lock (gate)
            {
                return used >= given && IsDenied;
            }
        }
    }

    private bool IsDenied => deniedAt is { } at && time.GetElapsedTime(at) < askAgainAfter;

    /// <summary>Sees to places for a batch's series; to be released by <see cref="Release"/> as far as they were not made.</summary>
    public async ValueTask ReserveAsync(int series, long most)
    {
        lock (gate)
        {
            waiting += series;
        }

        for (var question = 0; question < QuestionsMax; question++)
        {
            Task answer;
            lock (gate)
            {
                Follow(most);
                if (most == 0 || used + waiting <= given || IsDenied)
                {
                    return;
                }

                answer = asking ??= Task.Run(() => AskAsync(most));
            }

            await answer;
        }
    }

    /// <summary>A batch needs no more places for so many series: those that it did not make.</summary>
    public void Release(int series)
    {
        lock (gate)
        {
            waiting = Math.Max(0, waiting - series); // Of a batch that failed it is not known how many it made.
        }
    }

    /// <summary>Takes a place for a new series, out of those reserved.</summary>
    public bool TryTake(long most)
    {
        lock (gate)
        {
            Follow(most);
            if (most > 0 && used >= given)
            {
                return false;
            }

            used++;
            waiting = Math.Max(0, waiting - 1);
            return true;
        }
    }

    /// <summary>A place that was taken is not used after all.</summary>
    public void Return()
    {
        lock (gate)
        {
            used--;
            waiting++;
        }
    }

    /// <summary>Series were given up by a head.</summary>
    public void Change(long by)
    {
        lock (gate)
        {
            used += by;
        }
    }

    /// <summary>Series came with a shard, or went with it.</summary>
    public void Carry(long by)
    {
        lock (gate)
        {
            used += by;
            given = Math.Max(0, given + by);
            moves++;
        }
    }

    /// <summary>Gives back what is neither used nor waited for.</summary>
    public SeriesHolding Reclaim(long from)
    {
        lock (gate)
        {
            since = Math.Max(since, from);
            given = Math.Min(given, used + waiting);
            return new SeriesHolding(used, given, granted);
        }
    }

    /// <summary>A limit that is lower than when places were given leaves those in use; one that is higher may leave some.</summary>
    private void Follow(long most)
    {
        if (most == givenUnder)
        {
            return;
        }

        if (most > 0 && (givenUnder == 0 || most < givenUnder))
        {
            given = Math.Min(given, used);
        }

        deniedAt = null;
        givenUnder = most;
    }

    private async Task AskAsync(long most)
    {
        SeriesWish wish;
        int movesBefore;
        lock (gate)
        {
            given = Math.Max(given, used);
            wish = new SeriesWish(used, given, used + waiting - given, most, moves != movesTold);
            movesBefore = moves;
        }

        try
        {
            var grant = await ledger.AskAsync(tenant, wish, CancellationToken.None).AsTask().WaitAsync(patience, time);
            lock (gate)
            {
                (ofOthers, movesTold) = (grant.OfOthers, movesBefore);
                if (grant.Version > since)
                {
                    (given, granted) = (given + grant.Added, grant.Version);
                    deniedAt = grant.Added < wish.Wanted ? time.GetTimestamp() : null;
                }
            }
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            lock (gate)
            {
                given = Math.Max(given, Math.Min(used + waiting, most - ofOthers));
                deniedAt = time.GetTimestamp();
            }
        }
        finally
        {
            lock (gate)
            {
                asking = null;
            }
        }
    }
}
