namespace Metrics.Cluster;

/// <summary>The places for active series of one tenant, over all processes that hold its shards. One question at a time.</summary>
/// <remarks>
/// A process makes a series only in a place that it was given, and all places given are never more than the limit, save for series that were there before: those of shards that were opened. It is given more
/// than it asks for, while there are many left, so that it asks seldom. When too few are left, those that others have and don't use are taken back first: so places are refused only when all are used, and nobody
/// is refused while there is one, however unevenly series come.
/// What is here is in memory. A ledger that was just made takes back from all before it gives.
/// A process that is gone keeps its places for <see cref="GoneKept"/>: by then its shards are open elsewhere and are counted there.
/// </remarks>
public sealed class SeriesLedger(ISeriesHolders holders, TimeProvider time)
{
    /// <summary>How long the places of a process that is gone are counted as its own.</summary>
    public static readonly TimeSpan GoneKept = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, Entry> entries = new(StringComparer.Ordinal);
    private long knownMost;

    /// <summary>Versions go on rising from one ledger of a tenant to the next, whatever process has it.</summary>
    private long version = time.GetUtcNow().ToUnixTimeMilliseconds() << 20;

    /// <summary>Gives places to a process, by its name.</summary>
    public async ValueTask<SeriesGrant> AskAsync(string name, SeriesWish wish)
    {
        Forget();

        // Under another limit, or none, others may have made series without asking; and series that went from here are somewhere else.
        if (wish.Most != knownMost || wish.HasMoved || wish.Most - OfOthers(name) < wish.Used + wish.Wanted)
        {
            await ReclaimAsync(name);
            knownMost = wish.Most;
        }

        var others = OfOthers(name);
        var free = Math.Max(0, wish.Most - others - wish.Used);
        var extra = Math.Min(free, Math.Max(wish.Wanted, free / (2 * Math.Max(1, holders.Names.Count))));
        entries[name] = new Entry(new SeriesHolding(wish.Used, wish.Used + extra), null);
        return new SeriesGrant(wish.Used + extra, others, ++version);
    }

    private async Task ReclaimAsync(string asker)
    {
        var at = ++version;
        var others = holders.Names.Where(n => n != asker).ToArray();
        var answers = await Task.WhenAll(others.Select(n => holders.ReclaimAsync(n, at).AsTask()));
        for (var i = 0; i < others.Length; i++)
        {
            entries[others[i]] = new Entry(answers[i], null);
        }
    }

    private long OfOthers(string name)
    {
        var sum = 0L;
        foreach (var (other, entry) in entries)
        {
            sum += other == name ? 0 : Math.Max(entry.Has.Used, entry.Has.Places);
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

    private sealed record Entry(SeriesHolding Has, long? GoneSince);
}
