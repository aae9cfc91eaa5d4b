using Metrics.Model;

namespace Metrics.PromQL.Aggregates;

/// <summary>Where a series falls between 0 and 1 for <c>limit_ratio</c>.</summary>
/// <remarks>XXH64 of the label set in the encoding of prometheus/prometheus model/labels (stringlabels), so that both pick the same series.</remarks>
internal static class SamplingOffset
{
    /// <summary>The offset of a label set.</summary>
    public static double Of(Labels labels)
    {
        var encoded = new List<byte>(labels.Encoded.Length + 16);
        foreach (var label in labels)
        {
            Put(encoded, label.Name);
            Put(encoded, label.Value);
        }

        return SeriesHash.Of(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(encoded)) / (double)ulong.MaxValue;
    }

    private static void Put(List<byte> into, ReadOnlySpan<byte> text)
    {
        // One byte of length, or 255 and three more.
        if (text.Length < 255)
        {
            into.Add((byte)text.Length);
        }
        else
        {
            into.Add(255);
            into.Add((byte)text.Length);
            into.Add((byte)(text.Length >> 8));
            into.Add((byte)(text.Length >> 16));
        }

        into.AddRange(text);
    }
}
