namespace Metrics.Cluster;

/// <summary>How a wire format lays out the labels of one series; a stateless struct, so that the partitioner is compiled for each format.</summary>
/// <remarks>The bytes must tell the labels by themselves: equal bytes always mean equal labels, in this request and in any later one.</remarks>
public interface ILabelFormat
{
    /// <summary>Takes the next label off the front of <paramref name="rest"/>; false at the end.</summary>
    /// <exception cref="FormatException">The bytes are malformed; the request fails.</exception>
    static abstract bool TryNext(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value);
}
