namespace Metrics.Cluster;

/// <summary>Decides by the first series of a request whether the request is wanted at all.</summary>
public interface ISeriesGate
{
    /// <summary>False when the request is to be left out as a whole. What it throws fails the request.</summary>
    bool Admits<TFormat>(ReadOnlySpan<byte> rawLabels)
        where TFormat : struct, ILabelFormat;
}
