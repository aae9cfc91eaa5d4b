using System.Text;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.Federation;

/// <summary>Federated samples as <c>io.prometheus.client.MetricFamily</c> messages, each behind its length (prompb/io/prometheus/client/metrics.proto). Native histograms stay what they are.</summary>
internal static class FederationProtobuf
{
    /// <summary>The content type.</summary>
    public const string ContentType = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

    /// <summary>Writes samples, those of a metric next to each other.</summary>
    public static byte[] Write(IReadOnlyList<FederatedSample> samples)
    {
        using var all = new ProtobufWriter();
        using var family = new ProtobufWriter();
        for (var i = 0; i < samples.Count;)
        {
            var first = samples[i];
            family.Clear();
            family.Bytes(1, Encoding.UTF8.GetBytes(first.Name));
            family.Varint64(3, (ulong)first.Type);
            for (; i < samples.Count && samples[i].Name == first.Name && samples[i].Type == first.Type; i++)
            {
                var metric = family.Begin(4);
                Write(family, samples[i]);
                family.End(metric);
            }

            all.RawVarint((ulong)family.Written.Length);
            all.Raw(family.Written);
        }

        return all.Written.ToArray();
    }

    private static void Write(ProtobufWriter to, FederatedSample sample)
    {
        foreach (var (name, value) in sample.Labels)
        {
            var pair = to.Begin(1);
            to.Bytes(1, Encoding.UTF8.GetBytes(name));
            to.Bytes(2, Encoding.UTF8.GetBytes(value));
            to.End(pair);
        }

        if (sample.Histogram is not { } histogram)
        {
            var untyped = to.Begin(5);
            to.Double(1, sample.Value);
            to.End(untyped);
        }
        else
        {
            var message = to.Begin(7);
            Write(to, histogram);
            to.End(message);
        }

        to.Varint64(6, (ulong)sample.TimeMs);
    }

    private static void Write(ProtobufWriter to, FloatHistogram histogram)
    {
        to.Double(4, histogram.Count);
        to.Double(2, histogram.Sum);
        if (histogram.UsesCustomBuckets)
        {
            foreach (var (bound, count) in FederatedSample.ClassicBuckets(histogram))
            {
                var bucket = to.Begin(3);
                to.Double(4, count);
                to.Double(2, bound);
                to.End(bucket);
            }

            return;
        }

        to.ZigZag(5, histogram.Schema);
        to.Double(6, histogram.ZeroThreshold);
        to.Double(8, histogram.ZeroCount);
        Write(to, 9, 11, histogram.NegativeSpans, histogram.NegativeBuckets);
        Write(to, 12, 14, histogram.PositiveSpans, histogram.PositiveBuckets);
    }

    private static void Write(ProtobufWriter to, int spanField, int countField, HistogramSpan[] spans, double[] buckets)
    {
        foreach (var span in spans)
        {
            var message = to.Begin(spanField);
            to.ZigZag(1, span.Offset);
            to.Varint64(2, span.Length);
            to.End(message);
        }

        foreach (var count in buckets)
        {
            to.Double(countField, count);
        }
    }
}
