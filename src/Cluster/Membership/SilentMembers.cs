using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>Lets a cluster begin again after all its silos were lost at once: their rows say that they take part, and nobody is left to vote them out.</summary>
/// <remarks>
/// A silo that joins must reach all that take part, so it would wait for the dead for ever, if new silos have other addresses. While it waits, this looks at the table: once no member has given a sign of life for so
/// long by the observer's own clock, and none has come or gone, all of them are declared dead. A single one that lives prevents it, and votes out the rest by the usual protocol. One that was only frozen, or cut off
/// from the bucket, finds itself dead there and ends; what it owned is safe by epochs, whoever is right.
/// </remarks>
/// <param name="table">The table.</param>
/// <param name="silence">For how long nobody may have beaten: several times the interval of heartbeats.</param>
/// <param name="time">The clock.</param>
public sealed class SilentMembers(MembershipTable table, TimeSpan silence, TimeProvider time)
{
    private const int LooksPerSilence = 5;

    /// <summary>Looks until it is cancelled.</summary>
    /// <param name="report">Is told, in a sentence, what was done and what failed.</param>
    /// <param name="cancellation">Ends it: the silo has joined, or given up.</param>
    public async Task WatchAsync(Action<string> report, CancellationToken cancellation)
    {
        try
        {
            var seen = new Dictionary<string, DateTimeOffset>(StringComparer.Ordinal);
            var since = time.GetTimestamp();
            while (true)
            {
                try
                {
                    var now = Active(await table.ReadAsync(cancellation));
                    if (now.Count != seen.Count || now.Any(n => !seen.TryGetValue(n.Key, out var before) || before != n.Value))
                    {
                        (seen, since) = (now, time.GetTimestamp());
                    }
                    else if (seen.Count > 0 && time.GetElapsedTime(since) >= silence)
                    {
                        await BuryAsync(seen.Keys, cancellation);
                        report($"all {seen.Count} members of the cluster have been silent for {silence}, and are declared dead: {string.Join(", ", seen.Keys)}");
                    }
                }
                catch (Exception e) when (e is ObjectStoreException or InvalidDataException)
                {
                    report($"the membership table can't be read or written now: {e.Message}");
                    since = time.GetTimestamp(); // Who can't reach the bucket can't say who is silent.
                }

                await Task.Delay(silence / LooksPerSilence, time, cancellation);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The silo has joined.
        }
    }

    private async Task BuryAsync(IEnumerable<string> addresses, CancellationToken cancellation)
    {
        foreach (var address in addresses)
        {
            // Two who do this at once meet in the table's version: what is refused is seen to by the other, or at the next look.
            var snapshot = await table.ReadAsync(address, cancellation);
            if (snapshot.Find(address) is { Member.Status: MemberStatus.Active } row)
            {
                await table.TryUpdateAsync(row.Member with { Status = MemberStatus.Dead }, row.Etag, snapshot.Version + 1, snapshot.Etag, cancellation);
            }
        }
    }

    private static Dictionary<string, DateTimeOffset> Active(MembershipSnapshot snapshot) =>
        snapshot.Rows.Where(static r => r.Member.Status == MemberStatus.Active).ToDictionary(static r => r.Member.Address, static r => r.Member.AliveAt, StringComparer.Ordinal);
}
