namespace Metrics.Cluster;

/// <summary>Decides by the first series of a request whether the request is wanted at all.</summary>
public interface ISeriesGate
{
    /// <summary>False when the request is to be left out as a whole; true also while that has to be asked for. What it throws fails the request.</summary>
    bool Admits<TFormat>(ReadOnlySpan<byte> rawLabels)
        where TFormat : struct, ILabelFormat;

    /// <summary>The same once it was asked for, of a request that was let in. What it throws fails the request.</summary>
    ValueTask<bool> IsAdmittedAsync(CancellationToken cancellation) => ValueTask.FromResult(true);
}
