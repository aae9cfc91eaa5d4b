namespace Metrics.Model;

/// <summary>The samples of one write that belong to one shard, as columns.</summary>
/// <remarks>
/// A sample names its series either by a reference that the shard gave out earlier or, for a series new to the sender, by the index of a label set
/// carried in this batch (<see cref="NewSeriesFlag"/> set). References are valid only within the shard incarnation that gave them out
/// (<see cref="Incarnation"/>): a shard that knows another incarnation refuses the whole batch, and the sender builds it again with labels.
/// Reused from a pool by its owner; not thread-safe.
/// </remarks>
public sealed class SampleBatch
{
    /// <summary>Set in <see cref="Series"/> when the low 31 bits are an index into the new series of this batch.</summary>
    public const uint NewSeriesFlag = 0x8000_0000;

    private uint[] series = new uint[1024];
    private long[] times = new long[1024];
    private double[] values = new double[1024];
    private readonly List<BatchExemplar> exemplars = [];
    private FloatHistogram?[]? histograms;
    private int[] labelEnds = new int[16];
    private ulong[] hashes = new ulong[16];
    private byte[] labelBytes = new byte[1024];

    /// <summary>The shard incarnation whose references this batch uses; 0 when it uses none.</summary>
    public ulong Incarnation { get; set; }

    /// <summary>The batch's samples as a log record holds them, when whoever filled the batch read them from one; empty otherwise. A batch that is added to afterwards no longer agrees with it.</summary>
    public ReadOnlyMemory<byte> Record { get; set; }

    /// <summary>The number of samples.</summary>
    public int Count { get; private set; }

    /// <summary>True when there is nothing to append: neither samples nor exemplars.</summary>
    public bool IsEmpty => Count == 0 && exemplars.Count == 0;

    /// <summary>Per sample: a series reference, or an index with <see cref="NewSeriesFlag"/>.</summary>
    public ReadOnlySpan<uint> Series => series.AsSpan(0, Count);

    /// <summary>Per sample: Unix milliseconds.</summary>
    public ReadOnlySpan<long> Times => times.AsSpan(0, Count);

    /// <summary>Per sample: the value; without meaning where there is a histogram.</summary>
    public ReadOnlySpan<double> Values => values.AsSpan(0, Count);

    /// <summary>True when a sample is a native histogram.</summary>
    public bool HasHistograms { get; private set; }

    /// <summary>Per sample: the histogram, or null for a float; empty when all are floats.</summary>
    public ReadOnlySpan<FloatHistogram?> Histograms => HasHistograms ? histograms.AsSpan(0, Count) : default;

    /// <summary>Exemplars, of series in this batch or of others that the shard may know.</summary>
    public IReadOnlyList<BatchExemplar> Exemplars => exemplars;

    /// <summary>The bytes that the columns of label sets take, used or not.</summary>
    public int LabelCapacityBytes => labelBytes.Length;

    /// <summary>The number of label sets carried.</summary>
    public int NewSeriesCount { get; private set; }

    /// <summary>Forgets everything and keeps the columns.</summary>
    public void Clear()
    {
        Count = 0;
        NewSeriesCount = 0;
        Incarnation = 0;
        Record = default;
        exemplars.Clear();
        if (HasHistograms)
        {
            Array.Clear(histograms!);
            HasHistograms = false;
        }
    }

    /// <summary>The canonical label bytes of a carried series.</summary>
    public ReadOnlySpan<byte> LabelsOf(int newSeries)
    {
        var start = newSeries == 0 ? 0 : labelEnds[newSeries - 1];
        return labelBytes.AsSpan(start, labelEnds[newSeries] - start);
    }

    /// <summary>The <see cref="SeriesHash"/> of a carried series.</summary>
    public ulong HashOf(int newSeries) => hashes[newSeries];

    /// <summary>Carries a label set; returns its index.</summary>
    public int AddSeries(ReadOnlySpan<byte> canonicalLabels, ulong hash)
    {
        var start = NewSeriesCount == 0 ? 0 : labelEnds[NewSeriesCount - 1];
        if (start + canonicalLabels.Length > labelBytes.Length)
        {
            Array.Resize(ref labelBytes, Math.Max(start + canonicalLabels.Length, labelBytes.Length * 2));
        }

        if (NewSeriesCount == labelEnds.Length)
        {
            Array.Resize(ref labelEnds, NewSeriesCount * 2);
            Array.Resize(ref hashes, NewSeriesCount * 2);
        }

        canonicalLabels.CopyTo(labelBytes.AsSpan(start));
        labelEnds[NewSeriesCount] = start + canonicalLabels.Length;
        hashes[NewSeriesCount] = hash;
        return NewSeriesCount++;
    }

    /// <summary>Adds a sample of a series given by reference, or by index with <see cref="NewSeriesFlag"/>.</summary>
    public void Add(uint seriesRef, long timeMs, double value)
    {
        if (Count == series.Length)
        {
            Array.Resize(ref series, Count * 2);
            Array.Resize(ref times, Count * 2);
            Array.Resize(ref values, Count * 2);
            if (histograms is not null)
            {
                Array.Resize(ref histograms, Count * 2);
            }
        }

        series[Count] = seriesRef;
        times[Count] = timeMs;
        values[Count] = value;
        Count++;
    }

    /// <summary>Adds a native histogram of a series given by reference, or by index with <see cref="NewSeriesFlag"/>. It is shared, not copied, and so must not change.</summary>
    public void Add(uint seriesRef, long timeMs, FloatHistogram histogram)
    {
        Add(seriesRef, timeMs, histogram.Sum);
        histograms ??= new FloatHistogram?[series.Length];
        histograms[Count - 1] = histogram;
        HasHistograms = true;
    }

    /// <summary>Adds one sample of another batch, whatever its kind, under a series of this one.</summary>
    public void AddFrom(SampleBatch other, int index, uint seriesRef)
    {
        if (other.HasHistograms && other.histograms![index] is { } histogram)
        {
            Add(seriesRef, other.times[index], histogram);
        }
        else
        {
            Add(seriesRef, other.times[index], other.values[index]);
        }
    }

    /// <summary>Adds an exemplar of a series given by reference, or by index with <see cref="NewSeriesFlag"/>.</summary>
    public void AddExemplar(uint seriesRef, long timeMs, double value, Labels labels) => exemplars.Add(new BatchExemplar(seriesRef, timeMs, value, labels));
}

/// <summary>An exemplar on its way to a shard.</summary>
/// <param name="Series">The series, as samples name it.</param>
/// <param name="TimeMs">Unix milliseconds.</param>
/// <param name="Value">What was measured.</param>
/// <param name="Labels">Its own labels.</param>
public readonly record struct BatchExemplar(uint Series, long TimeMs, double Value, Labels Labels);
