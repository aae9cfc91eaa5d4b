using Metrics.Cluster;

namespace Metrics.Simulation;

/// <summary>What a node's disk holds, across crashes.</summary>
internal sealed class SimDisk
{
    /// <summary>The replicas on it.</summary>
    public Dictionary<LogId, SimReplicaFiles> Replicas { get; } = [];

    /// <summary>The power goes: what was not synced is there up to some point, torn.</summary>
    public int CutPower(Random random) => Replicas.Values.Sum(r => r.CutPower(random));
}

/// <summary>The files of one replica.</summary>
internal sealed class SimReplicaFiles
{
    /// <summary>The state file.</summary>
    public ReplicaState State { get; set; } = ReplicaState.New;

    /// <summary>The number of the log's first record.</summary>
    public long First { get; set; }

    /// <summary>The log.</summary>
    public List<SimRecord> Log { get; set; } = [];

    /// <summary>The number of the first record behind.</summary>
    public long BehindFirst { get; set; }

    /// <summary>The records behind.</summary>
    public List<SimRecord> Behind { get; set; } = [];

    /// <summary>True once records were found rotten, until the log is begun anew.</summary>
    public bool HasDamage { get; set; }

    /// <summary>The number after the last record.</summary>
    public long Next => First + Log.Count;

    /// <summary>The number after the last record behind.</summary>
    public long BehindNext => BehindFirst + Behind.Count;

    /// <summary>True when no record is rotten, and the replica has got over each loss.</summary>
    public bool HasLostNothing => !HasDamage && Next >= State.WholeAt && !Log.Exists(r => r.IsRotten) && !Behind.Exists(r => r.IsRotten);

    /// <summary>Drops a random part of what was not synced; gives how many records.</summary>
    public int CutPower(Random random) => CutPower(Log, random) + CutPower(Behind, random);

    private static int CutPower(List<SimRecord> records, Random random)
    {
        var synced = records.FindLastIndex(r => r.IsSynced) + 1;
        var kept = synced + random.Next(records.Count - synced + 1);
        var lost = records.Count - kept;
        records.RemoveRange(kept, lost);
        records.ForEach(r => r.IsSynced = true);
        return lost;
    }
}

/// <summary>A record on a disk.</summary>
internal sealed class SimRecord(ReadOnlyMemory<byte> frame)
{
    /// <summary>Its frame.</summary>
    public ReadOnlyMemory<byte> Frame => frame;

    /// <summary>True when a power cut can't take it.</summary>
    public bool IsSynced { get; set; }

    /// <summary>True when its bytes are no longer those that were written.</summary>
    public bool IsRotten { get; set; }
}
