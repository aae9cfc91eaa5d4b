using Metrics.Cluster;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Metrics.Grains;

/// <summary>Orleans's membership protocol over <see cref="MembershipTable"/>: names translated, nothing else.</summary>
internal sealed class BucketMembershipTable(BucketMembership bucket, IOptions<ClusterOptions> cluster) : IMembershipTable
{
    private readonly MembershipTable table = bucket.Table(cluster.Value.ClusterId);

    /// <inheritdoc/>
    public async Task InitializeMembershipTable(bool tryInitTableVersion)
    {
        if (tryInitTableVersion)
        {
            await table.CreateAsync(CancellationToken.None);
        }
        else
        {
            await table.ReadAsync(CancellationToken.None); // So that a bucket that can't be reached is said at the start.
        }
    }

    /// <inheritdoc/>
    public async Task DeleteMembershipTableEntries(string clusterId) => await bucket.Table(clusterId).DeleteAsync(CancellationToken.None);

    /// <inheritdoc/>
    public async Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate) => await table.RemoveDefunctAsync(beforeDate, CancellationToken.None);

    /// <inheritdoc/>
    public async Task<MembershipTableData> ReadRow(SiloAddress key) => Translate(await table.ReadAsync(key.ToParsableString(), CancellationToken.None));

    /// <inheritdoc/>
    public async Task<MembershipTableData> ReadAll() => Translate(await table.ReadAsync(CancellationToken.None));

    /// <inheritdoc/>
    public async Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion) =>
        await table.TryInsertAsync(Translate(entry), tableVersion.Version, tableVersion.VersionEtag, CancellationToken.None);

    /// <inheritdoc/>
    public async Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) =>
        await table.TryUpdateAsync(Translate(entry), etag, tableVersion.Version, tableVersion.VersionEtag, CancellationToken.None);

    /// <inheritdoc/>
    public async Task UpdateIAmAlive(MembershipEntry entry) => await table.BeatAsync(entry.SiloAddress.ToParsableString(), Utc(entry.IAmAliveTime), CancellationToken.None);

    private static MembershipTableData Translate(MembershipSnapshot snapshot) =>
        new([.. snapshot.Rows.Select(static r => Tuple.Create(Translate(r.Member), r.Etag))], new TableVersion(snapshot.Version, snapshot.Etag));

    private static MembershipEntry Translate(Member member) => new()
    {
        SiloAddress = SiloAddress.FromParsableString(member.Address),
        SiloName = member.Name,
        Status = (SiloStatus)(int)member.Status,
        SuspectTimes = [.. member.Suspicions.Select(static s => Tuple.Create(SiloAddress.FromParsableString(s.By), s.At.UtcDateTime))],
        HostName = member.HostName,
        ProxyPort = member.ClientPort,
        RoleName = member.Role,
        UpdateZone = member.UpdateZone,
        FaultZone = member.FaultZone,
        StartTime = member.StartedAt.UtcDateTime,
        IAmAliveTime = member.AliveAt.UtcDateTime,
    };

    private static Member Translate(MembershipEntry entry) => new()
    {
        Address = entry.SiloAddress.ToParsableString(),
        Name = entry.SiloName ?? "",
        Status = (MemberStatus)(int)entry.Status,
        Suspicions = entry.SuspectTimes is { } votes ? [.. votes.Select(static v => new Suspicion(v.Item1.ToParsableString(), Utc(v.Item2)))] : [],
        HostName = entry.HostName ?? "",
        ClientPort = entry.ProxyPort,
        Role = entry.RoleName ?? "",
        UpdateZone = entry.UpdateZone,
        FaultZone = entry.FaultZone,
        StartedAt = Utc(entry.StartTime),
        AliveAt = Utc(entry.IAmAliveTime),
    };

    /// <summary>Orleans's times are UTC, whether they say so or not; the earliest possible one is none.</summary>
    private static DateTimeOffset Utc(DateTime time) => new(DateTime.SpecifyKind(time, DateTimeKind.Utc));
}
