using Metrics.Cluster;
using Metrics.PromQL;

namespace Metrics.Gateway.FrontEnd;

/// <summary>What all shards of a query say about their past.</summary>
/// <param name="Stamp">Incarnation and changes of each shard; an answer about the settled past holds while it is the same.</param>
/// <param name="SettledBeforeMs">The earliest of the shards' lines.</param>
internal sealed record TenantHistory(ulong[] Stamp, long SettledBeforeMs)
{
    /// <summary>Asks the shards; null when one of them doesn't know or can't say, and so nothing may be kept.</summary>
    public static async ValueTask<TenantHistory?> ReadAsync(IReadOnlyList<IQueryLeaf> leaves, CancellationToken cancellation)
    {
        ShardHistory[] said;
        try
        {
            said = await Task.WhenAll(leaves.Select(leaf => leaf is IShard shard ? shard.HistoryAsync(cancellation).AsTask() : Task.FromResult(ShardHistory.Unknown)));
        }
        catch (ShardUnavailableException)
        {
            // The query itself will say so.
            return null;
        }

        return said.Length == 0 || Array.Exists(said, static s => s.Incarnation == 0)
            ? null
            : new TenantHistory([.. said.SelectMany(static s => new[] { s.Incarnation, (ulong)s.Changes })], said.Min(static s => s.SettledBeforeMs));
    }
}
