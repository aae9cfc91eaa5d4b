using Metrics.Cluster;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Messaging;

namespace Metrics.Grains;

/// <summary>Tells Orleans's clients where silos take them: the active members that have a port for it.</summary>
internal sealed class BucketGatewayList(BucketMembership bucket, IOptions<ClusterOptions> cluster, IOptions<GatewayOptions> options) : IGatewayListProvider
{
    private readonly MembershipTable table = bucket.Table(cluster.Value.ClusterId);

    /// <inheritdoc/>
    public TimeSpan MaxStaleness => options.Value.GatewayListRefreshPeriod;

    /// <inheritdoc/>
    public bool IsUpdatable => true;

    /// <inheritdoc/>
    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task<IList<Uri>> GetGateways()
    {
        var members = await table.ReadAsync(CancellationToken.None);
        return [.. members.Rows.Select(static r => r.Member).Where(static m => m is { Status: MemberStatus.Active, ClientPort: > 0 }).Select(GatewayOf)];
    }

    private static Uri GatewayOf(Member member)
    {
        var silo = SiloAddress.FromParsableString(member.Address);
        return SiloAddress.New(silo.Endpoint.Address, member.ClientPort, silo.Generation).ToGatewayUri();
    }
}
