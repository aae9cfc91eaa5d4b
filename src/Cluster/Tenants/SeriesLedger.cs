namespace Metrics.Cluster;

/// <summary>The places for active series of one tenant, over all processes that hold its shards. One question at a time.</summary>
/// <remarks>
/// A process makes a series only in a place that it was given, and all places given are never more than the limit, save for series that were there before: those of shards that were opened. It is given more
/// than it asks for, while there are many left, so that it asks seldom. When too few are left, those that others have and don't use are taken back first: so places are refused only when all are used, or are
/// on their way to who asked for them, and nobody is refused while there is one, however unevenly series come.
/// What is here is in memory. A ledger that was just made takes back from all before it gives.
/// A process that is gone keeps its places for <see cref="GoneKept"/>: by then its shards are open elsewhere and are counted there.
/// </remarks>
public sealed class SeriesLedger
{
    /// <summary>How long the places of a process that is gone are counted as its own.</summary>
    public static readonly TimeSpan GoneKept = TimeSpan.FromMinutes(1);

    private readonly ISeriesHolders holders;
    private readonly TimeProvider time;
    private readonly Dictionary<string, Entry> entries = new(StringComparer.Ordinal);
    private readonly long firstVersion;
    private long version;
    private long knownMost;

    /// <summary>Makes a ledger that knows nothing yet.</summary>
    public SeriesLedger(ISeriesHolders holders, TimeProvider time)
    {
        this.holders = holders;
        this.time = time;
        firstVersion = time.GetUtcNow().ToUnixTimeMilliseconds() << 20; // They go on rising from one ledger of a tenant to the next, whatever process has it.
        version = firstVersion;
    }

    /// <summary>Gives places to a process, by its name.</summary>
    public async ValueTask<SeriesGrant> AskAsync(string name, SeriesWish wish)
    {
        Forget();
        var own = Math.Max(wish.Used, wish.Places);

        // Under another limit, or none, others may have made series without asking; and series that went from here are somewhere else.
        if (wish.Most != knownMost || wish.HasMoved || wish.Most - OfOthers(name) < own + wish.Wanted)
        {
            await ReclaimAsync(name);
            knownMost = wish.Most;
        }

        var others = OfOthers(name);
        var free = Math.Max(0, wish.Most - others - own);
        var added = Math.Min(free, Math.Max(wish.Wanted, free / (2 * Math.Max(1, holders.Names.Count))));
        entries[name] = new Entry(own, added, ++version, null);
        return new SeriesGrant(added, others, version);
    }

    private async Task ReclaimAsync(string asker)
    {
        var others = holders.Names.Where(n => n != asker).ToArray();
        var answers = await Task.WhenAll(others.Select(n => holders.ReclaimAsync(n, firstVersion).AsTask()));
        for (var i = 0; i < others.Length; i++)
        {
            var known = entries.GetValueOrDefault(others[i]);
            entries[others[i]] = answers[i] switch
            {
                { Granted: < 0 } silent => (known ?? new Entry(0, 0, 0, null)) with { Places = Math.Max(known?.Places ?? 0, silent.Used) },
                var has => new Entry(Math.Max(has.Used, has.Places), known?.GrantedAt > has.Granted ? known.Granted : 0, known?.GrantedAt ?? 0, null),
            };
        }
    }

    private long OfOthers(string name)
    {
        var sum = 0L;
        foreach (var (other, entry) in entries)
        {
            sum += other == name ? 0 : entry.Places + entry.Granted;
        }

        return sum;
    }

    private void Forget()
    {
        var names = holders.Names;
        foreach (var (name, entry) in entries)
        {
            if (names.Contains(name, StringComparer.Ordinal))
            {
                entries[name] = entry with { GoneSince = null };
            }
            else if (entry.GoneSince is not { } since)
            {
                entries[name] = entry with { GoneSince = time.GetTimestamp() };
            }
            else if (time.GetElapsedTime(since) > GoneKept)
            {
                entries.Remove(name);
            }
        }
    }

    /// <summary>A process.</summary>
    /// <param name="Places">Places that it was known to have.</param>
    /// <param name="Granted">Places that it was given last, unless they are among those.</param>
    /// <param name="GrantedAt">The version of that.</param>
    /// <param name="GoneSince">Since when it is gone; null while it is there.</param>
    private sealed record Entry(long Places, long Granted, long GrantedAt, long? GoneSince);
}
