using System.Globalization;
using System.Text;
using Metrics.Model;

namespace Metrics.Gateway.Federation;

/// <summary>Federated samples as text 0.0.4, which has no native histograms but those with custom buckets, as classic ones.</summary>
internal static class FederationText
{
    /// <summary>The content type.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Writes samples, those of a metric next to each other.</summary>
    public static string Write(IEnumerable<FederatedSample> samples)
    {
        var text = new StringBuilder();
        var family = ("", 0);
        foreach (var sample in samples)
        {
            if (sample.Histogram is { UsesCustomBuckets: false })
            {
                continue;
            }

            if (family != (sample.Name, sample.Type))
            {
                family = (sample.Name, sample.Type);
                text.Append("# TYPE ").Append(sample.Name).Append(sample.Histogram is null ? " untyped\n" : " histogram\n");
            }

            if (sample.Histogram is { } histogram)
            {
                Append(text, sample, histogram);
            }
            else
            {
                Append(text, sample, "", null, sample.Value);
            }
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, FederatedSample sample, FloatHistogram histogram)
    {
        foreach (var (bound, count) in FederatedSample.ClassicBuckets(histogram))
        {
            Append(text, sample, "_bucket", Text(bound), count);
        }

        Append(text, sample, "_sum", null, histogram.Sum);
        Append(text, sample, "_count", null, histogram.Count);
    }

    private static void Append(StringBuilder text, FederatedSample sample, string suffix, string? bound, double value)
    {
        text.Append(sample.Name).Append(suffix).Append('{');
        foreach (var (name, labelValue) in sample.Labels)
        {
            text.Append(name).Append("=\"").Append(labelValue.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append("\",");
        }

        if (bound is not null)
        {
            text.Append("le=\"").Append(bound).Append("\",");
        }

        text.Length--;
        text.Append("} ").Append(Text(value)).Append(' ').Append(sample.TimeMs.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    private static string Text(double value) =>
        double.IsNaN(value) ? "NaN" : double.IsPositiveInfinity(value) ? "+Inf" : double.IsNegativeInfinity(value) ? "-Inf" : value.ToString("R", CultureInfo.InvariantCulture);
}
