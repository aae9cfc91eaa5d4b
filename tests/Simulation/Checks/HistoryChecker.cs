using Metrics.Model;

namespace Metrics.Simulation;

/// <summary>Knows what was written and what was acknowledged, and compares it with what can be read.</summary>
internal sealed class HistoryChecker(SimWorld world)
{
    private readonly HashSet<long> written = [];
    private readonly HashSet<long> acknowledged = [];

    /// <summary>Acknowledged writes.</summary>
    public int Acknowledged => acknowledged.Count;

    /// <summary>Openings at which all was compared.</summary>
    public int Comparisons { get; private set; }

    /// <summary>A client is about to write.</summary>
    public void OnWrite(long id) => written.Add(id);

    /// <summary>A client was told that its write is durable.</summary>
    public void OnAcknowledged(long id) => acknowledged.Add(id);

    /// <summary>An owner has taken over: it must have every write that was acknowledged until then, and once.</summary>
    public void OnOpened(SimOwner owner, IReadOnlySet<long> readable, List<long> twice)
    {
        Comparisons++;
        world.Scheduler.Note((ulong)readable.Count);
        if (!world.Shards.Contains(owner.Shard))
        {
            world.Faults.Violate($"{owner.Shard}: {owner.Name} opened in epoch {owner.Manifest.Epoch}, and it is no shard of the map");
        }

        if (world.MayLoseLogs || world.Stored(owner.Shard)?.Epoch != owner.Manifest.Epoch)
        {
            return; // Part of it is still to be found; or another owner has acknowledged more since.
        }

        Compare(owner.Shard, $"{owner.Name} opened in epoch {owner.Manifest.Epoch}", readable, twice);
    }

    /// <summary>Compares all that is readable with all that was acknowledged.</summary>
    public void Compare(ShardId shard, string when, IReadOnlySet<long> readable, IReadOnlyList<long> twice)
    {
        var missing = acknowledged.Where(id => world.IsIn(shard.Range, id) && !readable.Contains(id)).Order().ToList();
        if (missing.Count > 0)
        {
            world.Faults.Violate($"{shard}: {when}: {missing.Count} acknowledged writes are lost, {missing[0]} first");
        }

        if (twice.Count > 0)
        {
            world.Faults.Violate($"{shard}: {when}: {twice.Count} writes are there twice, {twice[0]} first");
        }

        var invented = readable.Where(id => !written.Contains(id) || !world.IsIn(shard.Range, id)).ToList();
        if (invented.Count > 0)
        {
            world.Faults.Violate($"{shard}: {when}: {invented.Count} writes are there that nobody wrote");
        }
    }
}
