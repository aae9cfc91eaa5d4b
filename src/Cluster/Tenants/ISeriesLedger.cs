using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Shares the places that a tenant has for active series out to the processes that hold its shards. Thread-safe.</summary>
public interface ISeriesLedger
{
    /// <summary>Asks for places.</summary>
    /// <exception cref="IOException">Nobody can say now.</exception>
    ValueTask<SeriesGrant> AskAsync(TenantId tenant, SeriesWish wish, CancellationToken cancellation);
}

/// <summary>A process that asks for places. It asks one question at a time: what an earlier one may still bring, it does not take.</summary>
/// <param name="Used">Series that its heads hold.</param>
/// <param name="Places">Places that it has, those used included.</param>
/// <param name="Wanted">How many more it could use now.</param>
/// <param name="Most">The tenant's limit, over all processes.</param>
/// <param name="HasMoved">True when shards came or went, with their series, since it last asked.</param>
public readonly record struct SeriesWish(long Used, long Places, long Wanted, long Most, bool HasMoved);

/// <summary>Places for active series.</summary>
/// <param name="Added">How many this process has from now on besides those that it had.</param>
/// <param name="OfOthers">Places that others have.</param>
/// <param name="Version">Later grants have higher ones.</param>
public readonly record struct SeriesGrant(long Added, long OfOthers, long Version);

/// <summary>What a process has of a tenant's places.</summary>
/// <param name="Used">Series that its heads hold.</param>
/// <param name="Places">Places that it has, those used included.</param>
/// <param name="Granted">The version of the last grant among them; negative for a process that did not answer, of which only is known what it last reported.</param>
public readonly record struct SeriesHolding(long Used, long Places, long Granted);

/// <summary>The processes that hold shards, as a ledger sees them.</summary>
public interface ISeriesHolders
{
    /// <summary>Their names.</summary>
    IReadOnlyCollection<string> Names { get; }

    /// <summary>Takes the places back that a process has and does not use; it takes no grant of a version before <paramref name="since"/> any more.</summary>
    ValueTask<SeriesHolding> ReclaimAsync(string name, long since);
}
