using System.Text.Json.Serialization;

namespace Metrics.Cluster;

/// <summary>The replicated log of a shard, as its manifest describes it (docs/replication.md). Immutable; each change is one swap.</summary>
internal sealed record ManifestLog
{
    /// <summary>Names the log, for cuts and replicas.</summary>
    public required string Lineage { get; init; }

    /// <summary>Records before this are in blocks, and on no replica needed any more.</summary>
    public long Start { get; init; }

    /// <summary>The object that holds the series which records from the start on may refer to without carrying their labels; null for none.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Which epoch wrote which records: decided, never taken back.</summary>
    public required EpochHistory History { get; init; }

    /// <summary>Which nodes hold which records, ascending; the last range is open, the others end where the next begins.</summary>
    public required IReadOnlyList<EnsembleRange> Ranges { get; init; }

    /// <summary>The ensemble that acknowledges now.</summary>
    [JsonIgnore]
    public EnsembleRange Last => Ranges[^1];

    /// <summary>All nodes that hold anything, each once, those of the newest range first.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> Nodes => [.. Ranges.Reverse().SelectMany(r => r.Members).Distinct(StringComparer.Ordinal)];

    /// <summary>The log after records from the first of the range on went to its members. Again with the same range: the same log.</summary>
    /// <param name="range">The range.</param>
    /// <param name="joined">Members that begin with it: what they may have held before does not count.</param>
    public ManifestLog WithRange(EnsembleRange range, IReadOnlyCollection<string> joined)
    {
        var kept = Ranges.Where(r => r.First < range.First).Select(r => r.Without(joined)).ToList();
        if (kept.Count == 0 || !kept[^1].HasSameMembers(range))
        {
            kept.Add(range);
        }

        return kept.SequenceEqual(Ranges) ? this : this with { Ranges = kept };
    }

    /// <summary>The log once every member of the last range holds all of it.</summary>
    public ManifestLog Collapsed() => Ranges.Count == 1 ? this : this with { Ranges = [Last with { First = Math.Min(Start, Last.First) }] };

    /// <summary>The log without what is before a record.</summary>
    public ManifestLog From(long start)
    {
        if (start <= Start)
        {
            return this;
        }

        var covering = Math.Max(0, Ranges.Count(r => r.First <= start) - 1);
        return this with { Start = start, History = History.From(start), Ranges = [.. Ranges.Skip(covering)] };
    }
}

/// <summary>From a record on, which nodes hold the log.</summary>
/// <param name="First">The first record.</param>
/// <param name="Acks">A record is acknowledged when so many of the members hold it: a majority of the replication factor, so that any two quorums of a range meet.</param>
/// <param name="Members">The nodes.</param>
internal sealed record EnsembleRange(long First, int Acks, IReadOnlyList<string> Members)
{
    /// <summary>How many members must be heard to know of each acknowledged record, and to keep an older epoch from acknowledging another.</summary>
    [JsonIgnore]
    public int FenceQuorum => Members.Count - Acks + 1;

    /// <summary>The range without nodes that no longer hold it; never without any.</summary>
    public EnsembleRange Without(IReadOnlyCollection<string> nodes) =>
        Members.Where(m => !nodes.Contains(m, StringComparer.Ordinal)).ToList() is { Count: > 0 } left && left.Count < Members.Count ? this with { Members = left } : this;

    /// <summary>True for the same members and quorum, whatever the records.</summary>
    public bool HasSameMembers(EnsembleRange other) => Acks == other.Acks && Members.Count == other.Members.Count && Members.All(m => other.Members.Contains(m, StringComparer.Ordinal));

    /// <inheritdoc/>
    public bool Equals(EnsembleRange? other) => other is not null && First == other.First && Acks == other.Acks && Members.SequenceEqual(other.Members, StringComparer.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(First, Acks, Members.Count);
}

/// <summary>A log whose members stayed away for longer than the grace time. What one of them still brings is made a block of, and never thrown away.</summary>
/// <param name="Lineage">Its name.</param>
/// <param name="Start">Records before this are in blocks: those of before, and what has been salvaged.</param>
/// <param name="History">Its decided history.</param>
/// <param name="Members">The nodes not heard yet.</param>
/// <param name="Checkpoint">As of the log when it was given up.</param>
internal sealed record LostLog(string Lineage, long Start, EpochHistory History, IReadOnlyList<string> Members, string? Checkpoint = null);
