using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.Otlp;

/// <summary>Histograms with explicit bounds: classic ones, or native ones with custom bounds.</summary>
internal sealed partial class OtlpTranslator
{
    /// <summary>Buckets of one histogram; SDKs have 16, and 160 for exponential ones. A number in a body may take one byte, a bucket's series a hundred.</summary>
    private const int MaxBuckets = 65536;

    private readonly List<(int Bucket, int Order, Range At)> exemplarPlaces = [];
    private ulong[] counts = new ulong[256];
    private ulong[] bounds = new ulong[256];

    private void AddHistograms(OtlpMetricView metric)
    {
        foreach (var point in metric.Histograms)
        {
            var timeMs = Seen(point.TimeUnixNano);
            if (!Gather(point.Attributes))
            {
                continue;
            }

            var countLength = point.BucketCounts.CopyTo(ref counts, MaxBuckets);
            var boundLength = point.ExplicitBounds.CopyTo(ref bounds, MaxBuckets);
            if (countLength != 0 && countLength != boundLength + 1)
            {
                sink.Reject(RejectReason.InvalidHistogram, 1, $"metric '{family.Text}' has {countLength} bucket counts and {boundLength} bounds, want one more counts than bounds, or none");
            }
            else if (settings.ToCustomBuckets)
            {
                AddCustomBuckets(point, countLength, boundLength, timeMs, metric.Temporality);
            }
            else
            {
                AddClassic(point, countLength, timeMs);
            }
        }
    }

    private void AddClassic(OtlpHistogramPoint point, int countLength, long timeMs)
    {
        if (point.HasSum)
        {
            AddSample(family.Sum, default, default, timeMs, point.HasNoValue ? StaleMarker.Value : point.Sum);
        }

        AddSample(family.Count, default, default, timeMs, point.HasNoValue ? StaleMarker.Value : point.Count);
        PlaceExemplars(point, countLength);
        Span<byte> boundText = stackalloc byte[GoFloat.MaxBytes];
        var cumulative = 0UL;
        var nextExemplar = 0;
        for (var i = 0; i < countLength - 1; i++)
        {
            cumulative += counts[i];
            var bound = BitConverter.UInt64BitsToDouble(bounds[i]);
            if (double.IsPositiveInfinity(bound))
            {
                // The bucket that every histogram has comes below.
                continue;
            }

            var length = GoFloat.FormatF(bound, boundText);
            AddSample(family.Bucket, "le"u8, boundText[..length], timeMs, point.HasNoValue ? StaleMarker.Value : cumulative);
            AddExemplars(point, ref nextExemplar, i, timeMs);
        }

        AddSample(family.Bucket, "le"u8, "+Inf"u8, timeMs, point.HasNoValue ? StaleMarker.Value : point.Count);
        AddExemplars(point, ref nextExemplar, int.MaxValue, timeMs);
    }

    /// <summary>Finds out which bucket each exemplar lies in; senders need not send them in order.</summary>
    private void PlaceExemplars(OtlpHistogramPoint point, int countLength)
    {
        exemplarPlaces.Clear();
        if (point.ExemplarCount == 0)
        {
            return;
        }

        load.Foresee(point.ExemplarCount);
        var found = point.Exemplars;
        while (found.MoveNext())
        {
            exemplarPlaces.Add((BucketOf(found.Current.Value, countLength - 1), exemplarPlaces.Count, found.CurrentRange));
        }

        exemplarPlaces.Sort(static (x, y) => x.Bucket != y.Bucket ? x.Bucket.CompareTo(y.Bucket) : x.Order.CompareTo(y.Order));
    }

    private int BucketOf(double value, int boundLength)
    {
        var low = 0;
        var high = Math.Max(0, boundLength);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (value <= BitConverter.UInt64BitsToDouble(bounds[middle]))
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }

    private void AddExemplars(OtlpHistogramPoint point, ref int next, int bucket, long timeMs)
    {
        for (; next < exemplarPlaces.Count && exemplarPlaces[next].Bucket <= bucket; next++)
        {
            AddExemplar(point.ExemplarAt(exemplarPlaces[next].At), timeMs);
        }
    }

    private void AddCustomBuckets(OtlpHistogramPoint point, int countLength, int boundLength, long timeMs, OtlpTemporality temporality)
    {
        var histogram = new FloatHistogram
        {
            Schema = FloatHistogram.CustomBucketsSchema,
            CounterResetHint = temporality == OtlpTemporality.Delta ? CounterResetHint.Gauge : CounterResetHint.Unknown,
            CustomValues = new double[countLength == 0 ? 0 : boundLength],
            Count = point.Count,
            Sum = point.Sum,
        };
        for (var i = 0; i < histogram.CustomValues.Length; i++)
        {
            histogram.CustomValues[i] = BitConverter.UInt64BitsToDouble(bounds[i]);
        }

        if (countLength == 0)
        {
            // Count and sum alone: one bucket holds everything.
            counts[countLength++] = point.Count;
        }

        buckets.Clear();
        for (var i = 0; i < countLength; i++)
        {
            buckets.Add(i, counts[i]);
        }

        AddNative(histogram, buckets.Total, point.Count, point.HasNoValue, timeMs);
        foreach (var exemplar in point.Exemplars)
        {
            AddExemplar(exemplar, timeMs);
        }
    }
}
