using Metrics.Model;
using Metrics.PromQL.Aggregates;
using Metrics.PromQL.Execution;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL;

/// <summary>The part of a query that a shard evaluates by itself; it crosses between processes as text and numbers.</summary>
/// <remarks>
/// Planning is a pure function of the members, so a leaf in another process plans the query again and takes the fragment of the same index;
/// a leaf in this process finds the plan attached.
/// </remarks>
/// <param name="Query">The text of the whole query.</param>
/// <param name="Grid">The grid of the whole query.</param>
/// <param name="IsRange">Whether it is a range query.</param>
/// <param name="LookbackMs">How far instant selectors look back.</param>
/// <param name="DelayedNameRemoval">The engine option of that name.</param>
/// <param name="DefaultSubqueryStepMs">The engine option of that name.</param>
/// <param name="TypeAndUnitLabels">The engine option of that name.</param>
/// <param name="UseStartTimestamps">The engine option of that name.</param>
/// <param name="MaxSamples">The most samples a leaf may hold for it.</param>
/// <param name="Index">Which fragment of the query, counted from 0.</param>
public sealed record Fragment(
    string Query,
    TimeGrid Grid,
    bool IsRange,
    long LookbackMs,
    bool DelayedNameRemoval,
    long DefaultSubqueryStepMs,
    bool TypeAndUnitLabels,
    bool UseStartTimestamps,
    long MaxSamples,
    int Index)
{
    /// <summary>The coarsest downsampled data wanted, milliseconds a sample; 0 for raw samples.</summary>
    public long MaxResolutionMs { get; init; }

    /// <summary>What the query may read; a leaf stops at these bounds by itself, and the gateway adds up what leaves read.</summary>
    public QueryBounds Bounds { get; init; } = QueryBounds.None;

    /// <summary>Whether the leaf counts samples for each step of the fragment too.</summary>
    public bool PerStepStatistics { get; init; }

    /// <summary>Nothing before this instant is read.</summary>
    public long MinTimeMs { get; init; } = long.MinValue;

    /// <summary>A label that the leaf's series bear besides their own; or null.</summary>
    public AddedLabel? Added { get; init; }

    /// <summary>Whether the leaf tells what each operator took.</summary>
    public bool Analyze { get; init; }

    /// <summary>The plan of the fragment where it was made in this process.</summary>
    internal PlanNode? Plan { get; init; }

    /// <summary>Where the memory of the query is counted when it was asked in this process.</summary>
    internal MemoryLease? Memory { get; init; }
}

/// <summary>What a shard answers to a fragment: the series of its part, or the partial states of an aggregation, as columns.</summary>
public sealed class FragmentResult : IDisposable
{
    /// <summary>The series of a vector, or the groups of an aggregation.</summary>
    internal IReadOnlyList<SeriesHeader> Series { get; init; } = [];

    /// <summary>The values of a vector: batches whose rows are <see cref="Series"/> in order.</summary>
    internal IReadOnlyList<StepBatch> Batches { get; init; } = [];

    /// <summary>The states of an aggregation, one row per entry of <see cref="Series"/>; or null.</summary>
    internal StateColumns? States { get; init; }

    /// <summary>The samples of a matrix, parallel to <see cref="Series"/>; or null.</summary>
    internal IReadOnlyList<SampleBuffer>? Matrix { get; init; }

    /// <summary>What the leaf has to remark.</summary>
    internal IReadOnlyList<Annotation> Annotations { get; init; } = [];

    /// <summary>What the leaf spent.</summary>
    internal QueryStatistics Statistics { get; init; } = new();

    /// <summary>What the operators took (<see cref="Analysis.PlanMeters.ToNumbers"/>); null unless asked for.</summary>
    internal long[]? Meters { get; init; }

    /// <summary>The memory that is given back with it; null where the query's own is counted by whoever asks.</summary>
    internal MemoryLease? Memory { get; init; }

    /// <summary>True when the memory that it holds is counted already.</summary>
    internal bool IsCounted { get; init; }

    /// <summary>About how many bytes it holds.</summary>
    internal long EstimatedBytes
    {
        get
        {
            var bytes = (long)Series.Count * MemoryLease.SeriesBytes;
            foreach (var batch in Batches)
            {
                bytes += (long)batch.Series * batch.Steps * sizeof(double);
            }

            foreach (var samples in Matrix ?? [])
            {
                bytes += (long)samples.Count * MemoryLease.SampleBytes;
            }

            return bytes + (States is null ? 0 : States.Cells * MemoryLease.SampleBytes);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var batch in Batches)
        {
            batch.Dispose();
        }

        States?.Dispose();
        foreach (var samples in Matrix ?? [])
        {
            samples.Dispose();
        }

        Memory?.Dispose();
    }
}

/// <summary>Where fragments are evaluated: one shard, here or elsewhere.</summary>
public interface IQueryLeaf
{
    /// <summary>Evaluates a fragment over the leaf's own series. Thread-safe; the caller disposes the result.</summary>
    /// <exception cref="QueryException">The fragment failed or met a bound.</exception>
    ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation);
}
