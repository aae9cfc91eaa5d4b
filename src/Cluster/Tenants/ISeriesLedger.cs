using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Shares the places that a tenant has for active series out to the processes that hold its shards. Thread-safe.</summary>
public interface ISeriesLedger
{
    /// <summary>Asks for places. What is given takes the place of what was given before.</summary>
    /// <exception cref="IOException">Nobody can say now.</exception>
    ValueTask<SeriesGrant> AskAsync(TenantId tenant, SeriesWish wish, CancellationToken cancellation);
}

/// <summary>A process that asks for places.</summary>
/// <param name="Used">Series that its heads hold.</param>
/// <param name="Wanted">How many more it could use now.</param>
/// <param name="Most">The tenant's limit, over all processes.</param>
/// <param name="HasMoved">True when shards came or went, with their series, since it last asked.</param>
public readonly record struct SeriesWish(long Used, long Wanted, long Most, bool HasMoved);

/// <summary>Places for active series.</summary>
/// <param name="Places">How many series this process may hold, those that it has included; what it has beyond that goes on.</param>
/// <param name="OfOthers">Places that others have.</param>
/// <param name="Version">Of two grants, or a grant and a taking back, the one with the higher version is the later.</param>
public readonly record struct SeriesGrant(long Places, long OfOthers, long Version);

/// <summary>What a process has of a tenant's places.</summary>
/// <param name="Used">Series that its heads hold.</param>
/// <param name="Places">How many it may hold; at least those that it does.</param>
public readonly record struct SeriesHolding(long Used, long Places);

/// <summary>The processes that hold shards, as a ledger sees them.</summary>
public interface ISeriesHolders
{
    /// <summary>Their names.</summary>
    IReadOnlyCollection<string> Names { get; }

    /// <summary>Takes the places back that a process has and does not use. One that does not answer is taken to have what it last reported.</summary>
    ValueTask<SeriesHolding> ReclaimAsync(string name, long version);
}
