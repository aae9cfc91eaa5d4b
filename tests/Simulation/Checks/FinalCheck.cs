using System.Buffers.Binary;
using Metrics.Cluster;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Simulation;

/// <summary>Looks at everything once the world is good again: writes are taken, nothing is lost or doubled, and all replicas hold the same.</summary>
internal sealed class FinalCheck(SimWorld world)
{
    /// <summary>What is still missing before all is as it should be, or null.</summary>
    public string? IsSettled()
    {
        foreach (var shard in world.Shards)
        {
            if (!world.Clients[0].Probed.Contains(shard))
            {
                return $"{shard}: no write was acknowledged";
            }

            if (world.Stored(shard) is not { Log: { } log } manifest)
            {
                return $"{shard}: it has no log";
            }

            if (log.Ranges.Count > 1 || log.Last.Members.Count < Math.Min(world.Options.Factor, world.Nodes.Count))
            {
                return $"{shard}: the ensemble is {string.Join("; ", log.Ranges)}";
            }

            if (OwnerOf(shard) is not { Log: { } owned } || owned.Committed != owned.NextRecord || owned.Members.Any(m => m.Match != owned.NextRecord || m.First > owned.Start))
            {
                return $"{shard}: not all records are with all members";
            }

            if (manifest.LostLogs.Count > 0)
            {
                return $"{shard}: {manifest.LostLogs.Count} lost logs are not salvaged";
            }
        }

        return null;
    }

    /// <summary>Notes all that is wrong.</summary>
    public void Run()
    {
        if (IsSettled() is { } missing)
        {
            world.Faults.Violate($"a minute after all was good again: {missing}");
            return;
        }

        foreach (var shard in world.Shards)
        {
            CheckShard(shard);
        }
    }

    private void CheckShard(ShardId shard)
    {
        var manifest = world.Stored(shard)!;
        var log = manifest.Log!;
        List<long>? first = null;
        foreach (var member in log.Last.Members)
        {
            var files = world.Find(new NodeId(member))!.Disk.Replicas[new LogId(shard, log.Lineage)];
            var records = Records(shard, log, files);
            first ??= records;
            if (!records.SequenceEqual(first))
            {
                world.Faults.Violate($"{shard}: {member} holds {records.Count} records from {log.Start} on, other than the {first.Count} of {log.Last.Members[0]}");
            }
        }

        var twice = new List<long>();
        var readable = new HashSet<long>();
        var covered = manifest.Cuts.Where(c => c.Log == log.Lineage).Select(c => c.FirstRecord).DefaultIfEmpty(0).Max();
        foreach (var id in manifest.Blocks.SelectMany(b => Ids(shard, b)).Where(id => world.IsIn(shard.Range, id)).Concat(first!.Skip((int)Math.Max(0, covered - log.Start))))
        {
            if (!readable.Add(id) && !world.MayLoseLogs)
            {
                twice.Add(id);
            }
        }

        world.Checker.Compare(shard, "at the end", readable, twice);
    }

    private List<long> Records(ShardId shard, ManifestLog log, SimReplicaFiles files)
    {
        var ids = new List<long>();
        if (files.First > log.Start || files.State.Promised < log.History.LastEpoch)
        {
            world.Faults.Violate($"{shard}: a member begins at {files.First} and promised {files.State.Promised}; the log begins at {log.Start}, and its epoch is {log.History.LastEpoch}");
            return ids;
        }

        for (var number = log.Start; number < files.Next; number++)
        {
            var frame = files.Log[(int)(number - files.First)].Frame.Span;
            LogFrames.Check(frame, number);
            if (files.State.History.EpochAt(number) != log.History.EpochAt(number))
            {
                world.Faults.Violate($"{shard}: record {number} is of epoch {files.State.History.EpochAt(number)} with a member, {log.History.EpochAt(number)} was decided");
            }

            ids.Add(BinaryPrimitives.ReadInt64LittleEndian(frame[LogFrames.HeaderBytes..]));
        }

        return ids;
    }

    private IEnumerable<long> Ids(ShardId shard, ManifestBlock block)
    {
        var key = BucketKeys.Block(shard.Tenant, block.Meta.Ulid.ToString()) + "ids";
        if (world.Bucket.Objects.GetAsync(key, int.MaxValue, CancellationToken.None).AsTask().GetAwaiter().GetResult()?.Content is not { } content)
        {
            world.Faults.Violate($"{shard}: {key} is in the manifest and gone");
            yield break;
        }

        for (var at = 0; at < content.Length; at += sizeof(long))
        {
            yield return BinaryPrimitives.ReadInt64LittleEndian(content.AsSpan(at));
        }
    }

    private SimOwner? OwnerOf(ShardId shard) => world.Nodes.SelectMany(n => n.Owners).FirstOrDefault(o => o.Shard == shard && o.IsOpen && o.Manifest.Epoch == world.Stored(shard)!.Epoch);
}
