using System.Text.Json.Serialization;

namespace Metrics.Cluster;

/// <summary>From which record on an epoch wrote the log.</summary>
/// <param name="Epoch">The epoch.</param>
/// <param name="First">Its first record.</param>
internal readonly record struct EpochStart(long Epoch, long First);

/// <summary>Which epoch wrote which records: starts ascending in both columns; an epoch ends where the next begins. Immutable.</summary>
/// <remarks>
/// The manifest holds the history that is decided, and each replica that of its own records (Kafka's leader epochs, KIP-101). One owner has an epoch and it writes each number once, so two
/// records of equal number and epoch are the same record, and comparing histories tells where two logs part.
/// </remarks>
internal sealed record EpochHistory
{
    /// <summary>The history of a log without records.</summary>
    public static EpochHistory Empty { get; } = new([]);

    /// <summary>Makes a history of starts that ascend in epoch and record.</summary>
    [JsonConstructor]
    public EpochHistory(IReadOnlyList<EpochStart> starts) => Starts = starts;

    /// <summary>The starts, ascending.</summary>
    public IReadOnlyList<EpochStart> Starts { get; }

    /// <summary>The last epoch, or 0.</summary>
    [JsonIgnore]
    public long LastEpoch => Starts.Count == 0 ? 0 : Starts[^1].Epoch;

    /// <summary>Where the last epoch begins, or 0.</summary>
    [JsonIgnore]
    public long LastFirst => Starts.Count == 0 ? 0 : Starts[^1].First;

    /// <summary>The epoch that wrote a record; 0 for records before the history.</summary>
    public long EpochAt(long record)
    {
        for (var i = Starts.Count - 1; i >= 0; i--)
        {
            if (Starts[i].First <= record)
            {
                return Starts[i].Epoch;
            }
        }

        return 0;
    }

    /// <summary>The first record after <paramref name="record"/> that another epoch wrote, or long.MaxValue.</summary>
    public long NextStart(long record)
    {
        foreach (var start in Starts)
        {
            if (start.First > record)
            {
                return start.First;
            }
        }

        return long.MaxValue;
    }

    /// <summary>The history after an epoch went on at a record: what was said of that record and later ones is forgotten.</summary>
    public EpochHistory With(long epoch, long first)
    {
        var kept = Starts.Where(s => s.First < first).ToList();
        if (kept.Count == 0 || kept[^1].Epoch != epoch)
        {
            kept.Add(new EpochStart(epoch, first));
        }

        return new EpochHistory(kept);
    }

    /// <summary>The history of the records before one.</summary>
    public EpochHistory Before(long end) => Starts.Count == 0 || LastFirst < end ? this : new EpochHistory([.. Starts.Where(s => s.First < end)]);

    /// <summary>The history of the records from one on, and of the one before: what follows it is compared with that.</summary>
    public EpochHistory From(long start)
    {
        var covering = Starts.Count(s => s.First < start) - 1;
        return covering <= 0 ? this : new EpochHistory([.. Starts.Skip(covering)]);
    }

    /// <summary>The first record of a log with this history which the decided one contradicts: decided was that a later epoch wrote it. long.MaxValue when there is none.</summary>
    /// <remarks>Records of epochs that the decided history does not know yet contradict nothing: who sent that history may be late.</remarks>
    public long FirstVoid(EpochHistory decided)
    {
        for (var i = 0; i < Starts.Count; i++)
        {
            var end = i + 1 < Starts.Count ? Starts[i + 1].First : long.MaxValue;
            foreach (var start in decided.Starts)
            {
                if (start.Epoch > Starts[i].Epoch && start.First < end)
                {
                    return Math.Max(start.First, Starts[i].First);
                }
            }
        }

        return long.MaxValue;
    }

    /// <inheritdoc/>
    public bool Equals(EpochHistory? other) => other is not null && Starts.SequenceEqual(other.Starts);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Starts.Count, LastEpoch, LastFirst);

    /// <inheritdoc/>
    public override string ToString() => string.Join(' ', Starts.Select(s => $"{s.Epoch}@{s.First}"));
}
