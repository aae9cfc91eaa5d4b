using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Turns the labels of a series as they came over the wire into those it is stored with: canonical, rewritten, checked.</summary>
/// <remarks>Reused from series to series; not thread-safe. The spans returned hold until the next call.</remarks>
internal sealed class SeriesNormalizer(LabelLimits limits, ISeriesRewrite? rewrite)
{
    private readonly LabelCanonicalizer checkedLabels = new(limits);

    // What the rules see may be more than what is stored: they are how a tenant gets rid of a label too many.
    private readonly LabelCanonicalizer anyLabels = new(LabelLimits.Widest, needsName: false);
    private readonly LabelsBuilder builder = new();

    /// <summary>The labels to be stored, or why there are none; <see cref="RejectReason.LeftOut"/> when the rules leave the series out.</summary>
    public RejectReason Normalize<TFormat>(ReadOnlySpan<byte> rawLabels, out ReadOnlySpan<byte> canonical, out string example)
        where TFormat : struct, ILabelFormat
    {
        if (rewrite is null)
        {
            return checkedLabels.Canonicalize<TFormat>(rawLabels, out canonical, out example);
        }

        var reason = anyLabels.Canonicalize<TFormat>(rawLabels, out canonical, out example);
        if (reason != RejectReason.None)
        {
            return reason;
        }

        builder.Clear();
        foreach (var label in new LabelEnumerator(canonical))
        {
            builder.Set(label.Name, label.Value);
        }

        if (!rewrite.Rewrite(builder) || builder.Count == 0)
        {
            canonical = default;
            return RejectReason.LeftOut;
        }

        return checkedLabels.Canonicalize<CanonicalLabels>(builder.ToLabels().Encoded, out canonical, out example);
    }

    /// <summary>The form of <see cref="Labels.Encoded"/>.</summary>
    private readonly struct CanonicalLabels : ILabelFormat
    {
        public static bool TryNext(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
        {
            name = default;
            value = default;
            if (rest.IsEmpty)
            {
                return false;
            }

            name = Take(ref rest);
            value = Take(ref rest);
            return true;
        }

        private static ReadOnlySpan<byte> Take(scoped ref ReadOnlySpan<byte> from)
        {
            var length = (int)Varint.Read(ref from);
            var text = from[..length];
            from = from[length..];
            return text;
        }
    }
}
