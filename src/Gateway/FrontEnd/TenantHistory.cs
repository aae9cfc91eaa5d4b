using Metrics.Cluster;

namespace Metrics.Gateway.FrontEnd;

/// <summary>What all shards of a query say about their past.</summary>
/// <param name="Stamp">Incarnation and changes of each shard; an answer about the settled past holds while it is the same.</param>
/// <param name="SettledBeforeMs">The earliest of the shards' lines.</param>
internal sealed record TenantHistory(ulong[] Stamp, long SettledBeforeMs)
{
    /// <summary>Asks the shards; null when one of them doesn't know or can't say, and so nothing may be kept, and whether that is because one is away.</summary>
    public static async ValueTask<(TenantHistory? History, bool IsAway)> ReadAsync(IReadOnlyList<IShard> shards, CancellationToken cancellation)
    {
        ShardHistory[] said;
        try
        {
            said = await Task.WhenAll(shards.Select(shard => shard.HistoryAsync(cancellation).AsTask()));
        }
        catch (ShardUnavailableException)
        {
            // The query itself will say so.
            return (null, true);
        }

        return said.Length == 0 || Array.Exists(said, static s => s.Incarnation == 0)
            ? (null, false)
            : (new TenantHistory([.. said.SelectMany(static s => new[] { s.Incarnation, (ulong)s.Changes })], said.Min(static s => s.SettledBeforeMs)), false);
    }
}
