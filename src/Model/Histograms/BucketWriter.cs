using System.Buffers;

namespace Metrics.Model;

/// <summary>Collects buckets in ascending index order into spans and counts, adding up those of equal index.</summary>
/// <remarks>Scratch is rented; <see cref="Finish(out HistogramSpan[], out double[])"/> copies out and gives it back. Capacity is fixed: the callers know how many buckets come at most.</remarks>
internal ref struct BucketWriter
{
    private readonly double[] counts;
    private readonly double[]? compensations;
    private readonly HistogramSpan[] spans;
    private int count;
    private int spanCount;
    private int last;

    public BucketWriter(int capacity, bool compensated)
    {
        counts = ArrayPool<double>.Shared.Rent(Math.Max(1, capacity));
        compensations = compensated ? ArrayPool<double>.Shared.Rent(Math.Max(1, capacity)) : null;
        spans = ArrayPool<HistogramSpan>.Shared.Rent(Math.Max(1, capacity));
        last = -1;
    }

    /// <summary>Adds a count at an index not below the last one.</summary>
    public void Add(int index, double value, double compensation = 0)
    {
        if (count > 0 && index == last)
        {
            Accumulate(value, compensation);
            return;
        }

        if (count > 0 && index == last + 1)
        {
            spans[spanCount - 1] = spans[spanCount - 1] with { Length = spans[spanCount - 1].Length + 1 };
        }
        else
        {
            spans[spanCount++] = new HistogramSpan(index - last - 1, 1);
        }

        counts[count] = value;
        if (compensations is not null)
        {
            compensations[count] = compensation;
        }

        count++;
        last = index;
    }

    /// <summary>Fills in empty buckets up to, not including, an index.</summary>
    public void FillTo(int index)
    {
        for (var i = last + 1; i < index; i++)
        {
            Add(i, 0);
        }
    }

    /// <summary>The index written last, or -1.</summary>
    public readonly int Last => last;

    /// <summary>True before the first bucket.</summary>
    public readonly bool IsEmpty => count == 0;

    /// <summary>Hands over the result and returns the scratch.</summary>
    public readonly void Finish(out HistogramSpan[] resultSpans, out double[] resultCounts) => Finish(out resultSpans, out resultCounts, out _);

    /// <summary>Hands over the result with its compensation and returns the scratch.</summary>
    public readonly void Finish(out HistogramSpan[] resultSpans, out double[] resultCounts, out double[] resultCompensations)
    {
        resultSpans = spanCount == 0 ? [] : spans.AsSpan(0, spanCount).ToArray();
        resultCounts = count == 0 ? [] : counts.AsSpan(0, count).ToArray();
        resultCompensations = compensations is null || count == 0 ? [] : compensations.AsSpan(0, count).ToArray();
        ArrayPool<double>.Shared.Return(counts);
        ArrayPool<HistogramSpan>.Shared.Return(spans);
        if (compensations is not null)
        {
            ArrayPool<double>.Shared.Return(compensations);
        }
    }

    private readonly void Accumulate(double value, double compensation)
    {
        if (compensations is null)
        {
            counts[count - 1] += value;
            return;
        }

        KahanSum.Add(value, ref counts[count - 1], ref compensations[count - 1]);
        if (compensation != 0)
        {
            KahanSum.Add(compensation, ref counts[count - 1], ref compensations[count - 1]);
        }
    }
}
