using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>Who is a member of the cluster, kept in object storage: one object with all rows, replaced by compare-and-swap, and one heartbeat object for each silo. Thread-safe; holds no state.</summary>
/// <remarks>
/// <para>
/// It asks of the store what the shards ask: conditional puts. So a cluster needs silos and a bucket and nothing else. Rows change a few times in a silo's life, and a table of a thousand is some hundred KiB; heartbeats
/// come every half minute, are written without a condition, and don't touch the table.
/// </para>
/// <para>
/// A put whose answer is lost may have taken place, or may yet. Each swap carries a random stamp and the table keeps the last ones, so the next look tells: a stamp that is there took place; a stamp that is not, in a table
/// that has moved on, never will. Only while the table has not moved is the outcome open, and then the caller gets an exception.
/// </para>
/// </remarks>
/// <param name="store">The bucket.</param>
/// <param name="cluster">The cluster's name: several may share a bucket. A part of a key.</param>
public sealed class MembershipTable(IObjectStore store, string cluster)
{
    /// <summary>The largest table read: some ten thousand silos.</summary>
    private const int MaxBytes = 16 * 1024 * 1024;

    private const int MaxHeartbeatBytes = 64;

    private const string NoObject = "none";

    /// <summary>Folders of tenants don't begin with two underscores.</summary>
    private readonly string folder = $"__cluster/{cluster}/";

    private string TableKey => folder + "members.json";

    private string HeartbeatFolder => folder + "alive/";

    /// <summary>All rows at one instant of the table's life, with the latest heartbeats.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    /// <exception cref="InvalidDataException">The object is no membership table.</exception>
    public async ValueTask<MembershipSnapshot> ReadAsync(CancellationToken cancellation)
    {
        var (content, etag) = await LoadAsync(cancellation);
        return new MembershipSnapshot(content.Version, etag, await Task.WhenAll(content.Rows.Select(r => WithHeartbeatAsync(r, cancellation))));
    }

    /// <summary>The same with at most the row of one silo.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    /// <exception cref="InvalidDataException">The object is no membership table.</exception>
    public async ValueTask<MembershipSnapshot> ReadAsync(string address, CancellationToken cancellation)
    {
        var (content, etag) = await LoadAsync(cancellation);
        return new MembershipSnapshot(content.Version, etag, content.Find(address) is { } row ? [await WithHeartbeatAsync(row, cancellation)] : []);
    }

    /// <summary>Makes the table when there is none.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public async ValueTask CreateAsync(CancellationToken cancellation)
    {
        if ((await LoadAsync(cancellation)).Etag != NoObject)
        {
            return;
        }

        try
        {
            await store.PutAsync(TableKey, MembershipContent.Empty.Swapped(0, NewStamp(), []).ToJson(), PutCondition.Absent, cancellation);
        }
        catch (ConditionFailedException)
        {
            // Another silo was faster.
        }
    }

    /// <summary>Adds a row and raises the version. False, with nothing changed, when the silo has a row already or the table is not the one that was read.</summary>
    /// <param name="member">The row.</param>
    /// <param name="version">The table's new version.</param>
    /// <param name="tableEtag">The table's etag as it was read.</param>
    /// <param name="cancellation">Ends the wait; the outcome is open then.</param>
    /// <exception cref="ObjectStoreException">The store failed, and it is open whether the row was added: read to find out.</exception>
    public ValueTask<bool> TryInsertAsync(Member member, int version, string tableEtag, CancellationToken cancellation) =>
        SwapAsync(version, tableEtag, (content, stamp) => content.Find(member.Address) is null ? [.. content.Rows, new MemberRow(member, stamp)] : null, cancellation);

    /// <summary>Replaces a row and raises the version. False, with nothing changed, when the silo has no row, when the row or the table are not those that were read.</summary>
    /// <param name="member">The row's new content.</param>
    /// <param name="rowEtag">The row's etag as it was read.</param>
    /// <param name="version">The table's new version.</param>
    /// <param name="tableEtag">The table's etag as it was read.</param>
    /// <param name="cancellation">Ends the wait; the outcome is open then.</param>
    /// <exception cref="ObjectStoreException">The store failed, and it is open whether the row was replaced: read to find out.</exception>
    public ValueTask<bool> TryUpdateAsync(Member member, string rowEtag, int version, string tableEtag, CancellationToken cancellation) =>
        SwapAsync(version, tableEtag, (content, stamp) => content.Find(member.Address)?.Etag == rowEtag ? [.. content.Rows.Where(r => r.Member.Address != member.Address), new MemberRow(member, stamp)] : null, cancellation);

    /// <summary>Notes that a silo lives. Changes neither its row nor the table's version.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    public async ValueTask BeatAsync(string address, DateTimeOffset at, CancellationToken cancellation) =>
        await store.PutAsync(HeartbeatKey(address), Encoding.ASCII.GetBytes(at.UtcTicks.ToString(CultureInfo.InvariantCulture)), PutCondition.None, cancellation);

    /// <summary>Removes the rows of silos that are not active and gave no sign of life since a time, and heartbeats that belong to no row. The version rises when a row goes.</summary>
    /// <exception cref="ObjectStoreException">The store failed; to be called again.</exception>
    public async ValueTask RemoveDefunctAsync(DateTimeOffset before, CancellationToken cancellation)
    {
        while (true)
        {
            var seen = await ReadAsync(cancellation);
            var defunct = seen.Rows.Where(r => r.Member.Status != MemberStatus.Active && LastSign(r.Member) < before).Select(static r => (r.Member.Address, r.Etag)).ToHashSet();
            if (defunct.Count == 0 || await SwapAsync(seen.Version + 1, seen.Etag, (content, _) => [.. content.Rows.Where(r => !defunct.Contains((r.Member.Address, r.Etag)))], cancellation))
            {
                break;
            }
        }

        var kept = (await LoadAsync(cancellation)).Content.Rows.Select(r => HeartbeatKey(r.Member.Address)).ToHashSet(StringComparer.Ordinal);
        await foreach (var heartbeat in store.ListAsync(HeartbeatFolder, cancellation))
        {
            // A silo's heartbeat never comes before its row, so one without a row is left over.
            if (!kept.Contains(heartbeat.Key) && heartbeat.ModifiedAt < before)
            {
                await store.DeleteAsync(heartbeat.Key, cancellation);
            }
        }
    }

    /// <summary>Removes the whole table and all heartbeats.</summary>
    /// <exception cref="ObjectStoreException">The store failed; to be called again.</exception>
    public async ValueTask DeleteAsync(CancellationToken cancellation)
    {
        await store.DeleteAsync(TableKey, cancellation);
        await foreach (var heartbeat in store.ListAsync(HeartbeatFolder, cancellation))
        {
            await store.DeleteAsync(heartbeat.Key, cancellation);
        }
    }

    private static DateTimeOffset LastSign(Member member)
    {
        var last = member.AliveAt > member.StartedAt ? member.AliveAt : member.StartedAt;
        foreach (var suspicion in member.Suspicions)
        {
            last = suspicion.At > last ? suspicion.At : last; // Being declared dead is a sign too: the others are to see it for a while.
        }

        return last;
    }

    /// <summary>One compare-and-swap. The change gives the new rows, or null to leave all as it is.</summary>
    private async ValueTask<bool> SwapAsync(int version, string tableEtag, Func<MembershipContent, string, IReadOnlyList<MemberRow>?> change, CancellationToken cancellation)
    {
        var (content, etag) = await LoadAsync(cancellation);
        var stamp = NewStamp();
        if (etag != tableEtag || version <= content.Version || change(content, stamp) is not { } rows)
        {
            return false;
        }

        try
        {
            var condition = etag == NoObject ? PutCondition.Absent : PutCondition.Unchanged(new ObjectVersion(etag));
            await store.PutAsync(TableKey, content.Swapped(version, stamp, rows).ToJson(), condition, cancellation);
            return true;
        }
        catch (ConditionFailedException)
        {
            // Most often another silo was faster; or a first try of the store's client was, whose answer got lost.
            return await OutcomeAsync(etag, version, stamp, cancellation) ?? false;
        }
        catch (ObjectStoreException)
        {
            if (await OutcomeAsync(etag, version, stamp, cancellation) is { } outcome)
            {
                return outcome;
            }

            throw;
        }
    }

    /// <summary>What became of a swap: null while it may still take place, or when it is too long ago to tell.</summary>
    private async ValueTask<bool?> OutcomeAsync(string etagBefore, int version, string stamp, CancellationToken cancellation)
    {
        var (content, etag) = await LoadAsync(cancellation);
        return etag == etagBefore ? null : content.Has(version, stamp);
    }

    private async ValueTask<(MembershipContent Content, string Etag)> LoadAsync(CancellationToken cancellation) =>
        await store.GetAsync(TableKey, MaxBytes, cancellation) is { } stored
            ? (MembershipContent.Read(stored.Content, $"{store.Name}: {TableKey}"), stored.Version.Text)
            : (MembershipContent.Empty, NoObject);

    private async Task<MembershipRow> WithHeartbeatAsync(MemberRow row, CancellationToken cancellation)
    {
        var member = row.Member;
        if (await store.GetAsync(HeartbeatKey(member.Address), MaxHeartbeatBytes, cancellation) is { } heartbeat
            && long.TryParse(Encoding.ASCII.GetString(heartbeat.Content), NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
            && ticks <= DateTimeOffset.MaxValue.UtcTicks && ticks > member.AliveAt.UtcTicks)
        {
            member = member with { AliveAt = new DateTimeOffset(ticks, TimeSpan.Zero) };
        }

        return new MembershipRow(member, row.Etag);
    }

    private string HeartbeatKey(string address) => HeartbeatFolder + Uri.EscapeDataString(address);

    private static string NewStamp() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));
}

/// <summary>The membership table as it was read.</summary>
/// <param name="Version">Its version; 0 for a table that is not there yet.</param>
/// <param name="Etag">Names its content; what a change must give.</param>
/// <param name="Rows">Its rows, ascending by address.</param>
public sealed record MembershipSnapshot(int Version, string Etag, IReadOnlyList<MembershipRow> Rows)
{
    /// <summary>The row of a silo, or null.</summary>
    public MembershipRow? Find(string address) => Rows.FirstOrDefault(r => r.Member.Address == address);
}

/// <summary>A row as it was read.</summary>
/// <param name="Member">The silo.</param>
/// <param name="Etag">Names the row's content; what a change must give.</param>
public sealed record MembershipRow(Member Member, string Etag);
