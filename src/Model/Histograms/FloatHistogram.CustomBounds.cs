namespace Metrics.Model;

/// <summary>Histograms whose custom bounds differ, combined over the bounds they share.</summary>
public sealed partial class FloatHistogram
{
    private void CombineByShared(FloatHistogram other, bool subtract, FloatHistogram? compensation)
    {
        var shared = Shared(CustomValues, other.CustomValues);
        var counts = new double[shared.Length + 1];
        var terms = new double[shared.Length + 1];
        Map(this, compensation, shared, subtract: false, counts, terms);
        Map(other, null, shared, subtract, counts, terms);
        var writer = new BucketWriter(counts.Length, compensated: true);
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] != 0 || terms[i] != 0)
            {
                writer.Add(i, counts[i], terms[i]);
            }
        }

        writer.Finish(out var spans, out var buckets, out var rest);
        SetPositive(spans, buckets);
        CustomValues = shared;
        if (compensation is not null)
        {
            compensation.SetPositive(spans, rest);
            compensation.CustomValues = shared;
        }
    }

    private static void Map(FloatHistogram from, FloatHistogram? compensation, double[] shared, bool subtract, double[] counts, double[] terms)
    {
        var cursor = new SpanCursor(from.PositiveSpans, from.PositiveBuckets.Length);
        var target = 0;
        while (cursor.Next())
        {
            var upper = HistogramBounds.Custom(cursor.Index, from.CustomValues);
            while (target < shared.Length && shared[target] < upper)
            {
                target++;
            }

            var value = from.PositiveBuckets[cursor.Position];
            KahanSum.Add(subtract ? -value : value, ref counts[target], ref terms[target]);
            if (compensation is not null)
            {
                KahanSum.Add(compensation.PositiveBuckets[cursor.Position], ref counts[target], ref terms[target]);
            }
        }
    }

    private static double[] Shared(double[] a, double[] b)
    {
        var shared = new List<double>(Math.Min(a.Length, b.Length));
        for (int i = 0, j = 0; i < a.Length && j < b.Length;)
        {
            if (a[i] == b[j])
            {
                shared.Add(a[i]);
                i++;
                j++;
            }
            else if (a[i] < b[j])
            {
                i++;
            }
            else
            {
                j++;
            }
        }

        return [.. shared];
    }
}
