namespace Metrics.Cluster;

/// <summary>How a shard's log is replicated.</summary>
public sealed class ReplicationOptions
{
    /// <summary>How many replicas a log has, its owner's included: 1 to 7. Default 3.</summary>
    public int Factor { get; init; } = 3;

    /// <summary>How many replicas hold a record before it is acknowledged.</summary>
    public int Quorum => (Factor / 2) + 1;

    /// <summary>How long one request may take. Default 2 s: a sync of a slow disk included.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A follower that owes answers and gave none for this long is replaced. Default 3 s; the host may know earlier (<see cref="ReplicatedLog.OnNodeLost"/>).</summary>
    public TimeSpan LostAfter { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long a batch waits to be acknowledged. Default 15 s: longer than a lost follower takes to be replaced, and less than senders wait, by default 30 s of Prometheus. Then its sender is told that it is open
    /// whether the batch is held, and others are turned away until it is: a shard whose followers are gone does not gather requests that hold memory which other shards need.
    /// </summary>
    public TimeSpan AcknowledgeWithin { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long to wait before what failed is tried again. Default 200 ms.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How often an ensemble that lacks members, or whose new members lack records, is looked after. Default 2 s.</summary>
    public TimeSpan RepairEvery { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long an opening looks for enough replicas before it fails, to be tried again elsewhere. Default 20 s.</summary>
    public TimeSpan OpenTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long a log of one replica is waited for before the shard starts without it. Default 10 min: longer than a machine takes to boot.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>An operator's word that the members of a log of several replicas will not come back: it is treated as one of a single replica.</summary>
    public bool AbandonsUnavailable { get; init; }

    /// <summary>The most bytes of records in one message, save that one record is never split. Default 1 MiB.</summary>
    public int BatchBytes { get; init; } = 1024 * 1024;

    /// <summary>The most bytes on their way to one follower. Default 8 MiB: a fast disk's 10 ms.</summary>
    public int InFlightBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>The most batches on their way to one follower. Default 1: what is appended meanwhile shares the next one, so that messages, writes and syncs become fewer the more there is to do; and none overtakes another, which messages between silos do and which costs a session begun anew.</summary>
    public int InFlightBatches { get; init; } = 1;

    /// <summary>The most bytes that wait for their acknowledgement before <see cref="ReplicatedLog.HasRoom"/> says no. Default 32 MiB.</summary>
    public long UnacknowledgedBytes { get; init; } = 32L * 1024 * 1024;

    /// <summary>Which rule is broken; tests only.</summary>
    internal Mutant Mutant { get; init; }

    /// <summary>Complaints, each naming what is allowed; none when all is well.</summary>
    internal IEnumerable<string?> Validate()
    {
        yield return Factor is < 1 or > 7 ? $"replication factor {Factor}: allowed are 1 to 7" : null;
        yield return LostAfter < RequestTimeout ? $"a follower is lost after {LostAfter}, but a request may take {RequestTimeout}" : null;
        yield return InFlightBatches < 1 ? $"{InFlightBatches} batches on their way: at least one must be" : null;
        yield return BatchBytes is < 1024 or > 64 * 1024 * 1024 ? $"batches of {BatchBytes} bytes: allowed are 1 KiB to 64 MiB" : null;
    }
}
