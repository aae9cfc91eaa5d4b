namespace Metrics.PromQL;

/// <summary>A leaf whose absence is a warning: a query goes on without its series (Thanos's partial response).</summary>
/// <param name="inner">The leaf.</param>
/// <param name="isAbsence">Tells which failures mean that the series can't be read now; others fail the query as ever.</param>
public sealed class OptionalLeaf(IQueryLeaf inner, Func<Exception, bool> isAbsence) : IQueryLeaf
{
    /// <inheritdoc/>
    public async ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation)
    {
        try
        {
            return await inner.RunAsync(fragment, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested && isAbsence(e))
        {
            return new FragmentResult { Annotations = [new Annotation(true, $"partial response: {e.Message}", default)] };
        }
    }
}
