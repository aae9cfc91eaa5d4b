using System.Net;
using Metrics.Grains;
using Metrics.ObjectStore;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Xunit;

namespace Metrics.Cluster.Silos.Membership;

/// <summary>The contract that Orleans gives in <c>IMembershipTable</c>, clause by clause. What stands behind it is tested without a silo in Cluster.Tests.</summary>
public sealed class BucketMembershipTableTests
{
    private static readonly DateTime start = new(2026, 1, 2, 3, 4, 5, 678, DateTimeKind.Utc);

    private readonly BucketMembership bucket = new(new MemoryObjectStore(TimeProvider.System));
    private readonly BucketMembershipTable table;

    public BucketMembershipTableTests() => table = new BucketMembershipTable(bucket, Options.Create(new ClusterOptions { ClusterId = "test" }));

    [Fact]
    public async Task AnEntryComesBackWithEveryField()
    {
        await table.InitializeMembershipTable(tryInitTableVersion: true);
        var entry = Entry(1);
        entry.AddSuspector(Address(2), start.AddSeconds(3));
        var empty = await table.ReadAll();

        Assert.True(await table.InsertRow(entry, empty.Version.Next()));

        var read = await table.ReadAll();
        Assert.Equal(empty.Version.Version + 1, read.Version.Version);
        Assert.NotEqual(empty.Version.VersionEtag, read.Version.VersionEtag);
        Assert.Equal(entry.ToFullString(), Assert.Single(read.Members).Item1.ToFullString());
        Assert.Equal(entry.ToFullString(), Assert.Single((await table.ReadRow(Address(1))).Members).Item1.ToFullString());
        Assert.Empty((await table.ReadRow(Address(2))).Members);
    }

    [Fact]
    public async Task InsertFailsForARowThatIsThereAndForAnOldTable()
    {
        var empty = await table.ReadAll();
        Assert.True(await table.InsertRow(Entry(1), empty.Version.Next()));

        Assert.False(await table.InsertRow(Entry(2), empty.Version.Next()));
        Assert.False(await table.InsertRow(Entry(1), (await table.ReadAll()).Version.Next()));
        Assert.Single((await table.ReadAll()).Members);
    }

    [Fact]
    public async Task UpdateFailsWithoutTheRowWithAnotherEtagAndForAnOldTable()
    {
        var empty = await table.ReadAll();
        Assert.True(await table.InsertRow(Entry(1), empty.Version.Next()));
        var read = await table.ReadAll();
        var etag = read.Members[0].Item2;

        Assert.False(await table.UpdateRow(Entry(2), etag, read.Version.Next()));
        Assert.False(await table.UpdateRow(Entry(1), "another", read.Version.Next()));
        Assert.False(await table.UpdateRow(Entry(1), etag, empty.Version.Next()));
        Assert.Equal(read.Version, (await table.ReadAll()).Version);

        var active = Entry(1);
        active.Status = SiloStatus.Active;
        Assert.True(await table.UpdateRow(active, etag, read.Version.Next()));
        Assert.False(await table.UpdateRow(active, etag, (await table.ReadAll()).Version.Next()));
        Assert.Equal(SiloStatus.Active, (await table.ReadAll()).Members[0].Item1.Status);
    }

    [Fact]
    public async Task AnIAmAliveIsReadAndLeavesVersionAndEtags()
    {
        Assert.True(await table.InsertRow(Entry(1), (await table.ReadAll()).Version.Next()));
        var before = await table.ReadAll();
        var alive = Entry(1);
        alive.IAmAliveTime = start.AddMinutes(9);

        await table.UpdateIAmAlive(alive);

        var after = await table.ReadAll();
        Assert.Equal(before.Version, after.Version);
        Assert.Equal(before.Members[0].Item2, after.Members[0].Item2);
        Assert.Equal(start.AddMinutes(9), after.Members[0].Item1.IAmAliveTime);
    }

    [Fact]
    public async Task DefunctEntriesAreCleanedAndTheWholeTableIsDeleted()
    {
        foreach (var n in Enumerable.Range(1, 3))
        {
            var entry = Entry(n);
            entry.Status = n == 1 ? SiloStatus.Active : SiloStatus.Dead;
            entry.IAmAliveTime = entry.StartTime = n == 3 ? start : start.AddDays(-10);
            Assert.True(await table.InsertRow(entry, (await table.ReadAll()).Version.Next()));
        }

        await table.CleanupDefunctSiloEntries(new DateTimeOffset(start.AddDays(-1)));
        Assert.Equal([1, 3], (await table.ReadAll()).Members.Select(m => m.Item1.SiloAddress.Generation).Order());

        await table.DeleteMembershipTableEntries("another");
        Assert.Equal(2, (await table.ReadAll()).Members.Count);
        await table.DeleteMembershipTableEntries("test");
        Assert.Empty((await table.ReadAll()).Members);
    }

    [Fact]
    public async Task OfManyThatChangeTheTableAtOnceEachVersionIsOnesAlone()
    {
        await table.InitializeMembershipTable(tryInitTableVersion: true);
        var versions = await Task.WhenAll(Enumerable.Range(1, 10).Select(n => Task.Run(async () =>
        {
            while (true)
            {
                var seen = await table.ReadAll();
                if (await table.InsertRow(Entry(n), seen.Version.Next()))
                {
                    return seen.Version.Version + 1;
                }
            }
        })));

        Assert.Equal(Enumerable.Range(1, 10), versions.Order());
        Assert.Equal(10, (await table.ReadAll()).Members.Count);
    }

    [Fact]
    public async Task GatewaysAreTheActiveSilosWithAPort()
    {
        foreach (var (n, status, port) in new[] { (1, SiloStatus.Active, 30001), (2, SiloStatus.Active, 0), (3, SiloStatus.Dead, 30003), (4, SiloStatus.Joining, 30004) })
        {
            var entry = Entry(n);
            (entry.Status, entry.ProxyPort) = (status, port);
            Assert.True(await table.InsertRow(entry, (await table.ReadAll()).Version.Next()));
        }

        var gateways = new BucketGatewayList(bucket, Options.Create(new ClusterOptions { ClusterId = "test" }), Options.Create(new GatewayOptions()));
        await gateways.InitializeGatewayListProvider();

        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 30001), Assert.Single(await gateways.GetGateways()).ToGatewayAddress()?.Endpoint);
    }

    private static SiloAddress Address(int n) => SiloAddress.New(IPAddress.Loopback, 11110 + n, n);

    private static MembershipEntry Entry(int n) => new()
    {
        SiloAddress = Address(n),
        SiloName = $"node=n{n};zone=z;http=h",
        HostName = "host",
        RoleName = "role",
        Status = SiloStatus.Joining,
        ProxyPort = 30000 + n,
        UpdateZone = 1,
        FaultZone = 2,
        StartTime = start,
        IAmAliveTime = start,
        SuspectTimes = [],
    };
}
