using Metrics.Cluster;

namespace Metrics.Simulation;

/// <summary>Looks at every manifest that is stored: what one owner decided, no one takes back, and no one publishes who has been followed by another.</summary>
internal sealed class ManifestWatch(SimFaults faults)
{
    private readonly Dictionary<string, ShardManifest> stored = new(StringComparer.Ordinal);

    /// <summary>The manifests as stored, by key.</summary>
    public IReadOnlyDictionary<string, ShardManifest> Stored => stored;

    /// <summary>The shard map as stored; null before it changes.</summary>
    public ShardMap? Map { get; private set; }

    /// <summary>An object was stored.</summary>
    public void OnStored(string key, ReadOnlyMemory<byte> content)
    {
        if (key.EndsWith(ShardMap.FileName, StringComparison.Ordinal))
        {
            var next = ShardMap.Read(content.Span, key);
            if (Map is not null && next.Version != Map.Version + 1)
            {
                faults.Violate($"{key}: version {next.Version} follows upon {Map.Version}");
            }

            faults.Count(next.Change is not null ? "change announced" : next.ChangedAt == Map?.ChangedAt ? "change given up" : "change done");
            Map = next;
            return;
        }

        if (!key.EndsWith("manifest.json", StringComparison.Ordinal))
        {
            return;
        }

        var now = ShardManifest.Read(content.Span, key);
        if (stored.TryGetValue(key, out var before))
        {
            foreach (var wrong in Wrong(before, now))
            {
                faults.Violate($"{key}: {wrong}");
            }
        }

        stored[key] = now;
    }

    private static IEnumerable<string> Wrong(ShardManifest before, ShardManifest now)
    {
        if (now.Epoch < before.Epoch || (now.Epoch == before.Epoch && now.Owner != before.Owner))
        {
            yield return $"owner {now.Owner} of epoch {now.Epoch} published after {before.Owner} of epoch {before.Epoch}";
        }

        // Another shard in the same range, or none any more: what it had is its children's.
        if (now.MadeBy != before.MadeBy || Succession.IsRetired(now))
        {
            yield break;
        }

        if (before.Blocks.Any(b => now.Blocks.All(n => n.Meta.Ulid != b.Meta.Ulid) && now.Retired.All(r => r.Ulid != b.Meta.Ulid.ToString())))
        {
            yield return "a block is gone";
        }

        if (before.Log is not { } old || now.Log is not { } log || old.Lineage != log.Lineage)
        {
            yield break;
        }

        if (log.Start < old.Start)
        {
            yield return $"the log began at {old.Start} and now at {log.Start}";
        }

        for (var record = log.Start; record < old.History.LastFirst; record++)
        {
            if (log.History.EpochAt(record) != old.History.EpochAt(record))
            {
                yield return $"record {record} was of epoch {old.History.EpochAt(record)} and now is of {log.History.EpochAt(record)}";
                yield break;
            }
        }
    }
}
