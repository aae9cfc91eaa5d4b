namespace Metrics.PromQL;

/// <summary>The part of a query that a shard evaluates by itself; it crosses between processes as text and numbers.</summary>
public sealed record Fragment;

/// <summary>What a shard answers to a fragment: the series of its part, or the partial states of an aggregation, as columns.</summary>
public sealed class FragmentResult : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

/// <summary>Where fragments are evaluated: one shard, here or elsewhere.</summary>
public interface IQueryLeaf
{
    /// <summary>Evaluates a fragment over the leaf's own series. Thread-safe; the caller disposes the result.</summary>
    /// <exception cref="QueryException">The fragment failed or met a bound.</exception>
    ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation);
}
