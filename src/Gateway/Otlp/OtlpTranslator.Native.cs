using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.Otlp;

/// <summary>Exponential histograms as native ones.</summary>
internal sealed partial class OtlpTranslator
{
    private const int MinSchema = -4;
    private const int MaxSchema = 8;

    /// <summary>Prometheus's width of the zero bucket when the sender does not say one.</summary>
    private const double DefaultZeroThreshold = 1e-128;

    private readonly OtlpBucketRun buckets = new();

    private void AddExponentialHistograms(OtlpMetricView metric)
    {
        foreach (var point in metric.ExponentialHistograms)
        {
            var timeMs = Seen(point.TimeUnixNano);
            if (!Gather(point.Attributes))
            {
                continue;
            }

            if (point.Scale < MinSchema || !(point.ZeroThreshold >= 0) || double.IsInfinity(point.ZeroThreshold))
            {
                sink.Reject(RejectReason.InvalidHistogram, 1, $"metric '{family.Text}' has scale {point.Scale} and zero threshold {point.ZeroThreshold}, want a scale of at least {MinSchema} and a finite width");
                continue;
            }

            var histogram = new FloatHistogram
            {
                // The sender's start time could tell resets, but must agree with what comparison finds: unknown is always safe.
                CounterResetHint = metric.Temporality == OtlpTemporality.Delta ? CounterResetHint.Gauge : CounterResetHint.Unknown,
                Schema = Math.Min(point.Scale, MaxSchema),
                ZeroThreshold = point.ZeroThreshold > 0 ? point.ZeroThreshold : DefaultZeroThreshold,
                ZeroCount = point.ZeroCount,
                Count = point.Count,
                Sum = point.Sum,
            };
            var scaleDown = Math.Min(Math.Max(0L, (long)point.Scale - MaxSchema), 63);
            if (!Fill(point.Negative, (int)scaleDown))
            {
                continue;
            }

            var total = unchecked(buckets.Total + point.ZeroCount);
            (histogram.NegativeSpans, histogram.NegativeBuckets) = buckets.ToArrays();
            if (!Fill(point.Positive, (int)scaleDown))
            {
                continue;
            }

            AddNative(histogram, unchecked(total + buckets.Total), point.Count, point.HasNoValue, timeMs);
            if (point.ExemplarCount > 0)
            {
                foreach (var exemplar in point.Exemplars)
                {
                    AddExemplar(exemplar, timeMs);
                }
            }
        }
    }

    /// <summary>Merges a side's buckets down; false when their indexes are beyond what a native histogram has.</summary>
    private bool Fill(OtlpBuckets side, int scaleDown)
    {
        buckets.Clear();
        var length = side.Counts.CopyTo(ref counts, MaxBuckets);
        for (var i = 0; i < length; i++)
        {
            if (counts[i] == 0)
            {
                continue;
            }

            // OTLP's bucket i ends at base^(i+1), Prometheus's at base^i.
            var index = (((long)side.Offset + i) >> scaleDown) + 1;
            if (index is < int.MinValue / 2 or > int.MaxValue / 2)
            {
                sink.Reject(RejectReason.InvalidHistogram, 1, $"metric '{family.Text}' has a bucket with index {index}");
                return false;
            }

            buckets.Add((int)index, counts[i]);
        }

        return true;
    }

    /// <summary>Adds a native histogram whose positive side is gathered in <see cref="buckets"/>.</summary>
    private void AddNative(FloatHistogram histogram, ulong inBuckets, ulong counted, bool hasNoValue, long timeMs)
    {
        if (hasNoValue)
        {
            histogram = new FloatHistogram { Schema = histogram.Schema, CustomValues = histogram.CustomValues, ZeroThreshold = histogram.ZeroThreshold, Sum = StaleMarker.Value };
        }
        else
        {
            (histogram.PositiveSpans, histogram.PositiveBuckets) = buckets.ToArrays();
            if (double.IsNaN(histogram.Sum) ? inBuckets > counted : inBuckets != counted)
            {
                sink.Reject(RejectReason.InvalidHistogram, 1, $"metric '{family.Text}' has {inBuckets} observations in buckets, {counted} counted");
                return;
            }

            if (!histogram.TryValidate(out var error))
            {
                sink.Reject(RejectReason.InvalidHistogram, 1, $"metric '{family.Text}': {error}");
                return;
            }
        }

        Begin(family.Name, default, default);
        load.AddHistogram(timeMs, histogram, sink);
    }
}
