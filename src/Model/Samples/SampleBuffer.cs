using System.Buffers;

namespace Metrics.Model;

/// <summary>Decoded samples of one series as columns: parallel arrays of <see cref="Count"/> entries, times strictly ascending.</summary>
/// <remarks>
/// Arrays come from the shared pool and are reused from series to series; a borrower must not keep them past the next <see cref="Clear"/>.
/// <see cref="Histograms"/> is null until the first histogram arrives; where an entry is not null the value column is meaningless there.
/// Not thread-safe.
/// </remarks>
public sealed class SampleBuffer : IDisposable
{
    private long[] times;
    private double[] values;
    private FloatHistogram?[]? histograms;
    private long[]? startTimes;

    /// <summary>Rents columns for the given number of samples.</summary>
    public SampleBuffer(int capacity = 256)
    {
        times = ArrayPool<long>.Shared.Rent(capacity);
        values = ArrayPool<double>.Shared.Rent(capacity);
    }

    /// <summary>The number of samples held.</summary>
    public int Count { get; private set; }

    /// <summary>Sample times, Unix milliseconds.</summary>
    public ReadOnlySpan<long> Times => times.AsSpan(0, Count);

    /// <summary>Float values.</summary>
    public ReadOnlySpan<double> Values => values.AsSpan(0, Count);

    /// <summary>True when at least one sample is a histogram.</summary>
    public bool HasHistograms => histograms is not null;

    /// <summary>Histograms; empty when the series has none, else null entries where the sample is a float.</summary>
    public ReadOnlySpan<FloatHistogram?> Histograms => histograms is null ? default : histograms.AsSpan(0, Count);

    /// <summary>Start timestamps (Unix milliseconds, 0 = unknown); empty when none is known.</summary>
    public ReadOnlySpan<long> StartTimes => startTimes is null ? default : startTimes.AsSpan(0, Count);

    /// <summary>Set where the float counter at hand was put together from windows with its resets added up: the value that it really had at the last sample. What is read after is compared with it.</summary>
    public double? RawCounterAtEnd { get; set; }

    /// <summary>Bytes of the chunks that were decoded into it since it was cleared, whole ones also where only some of their samples were wanted; 0 for samples that come from no chunk.</summary>
    public long EncodedBytes { get; private set; }

    /// <summary>How many chunks those were.</summary>
    public long EncodedChunks { get; private set; }

    /// <summary>Notes that a chunk, or several, were decoded into it.</summary>
    public void NoteEncoded(long bytes, long chunks = 1)
    {
        EncodedBytes += bytes;
        EncodedChunks += chunks;
    }

    /// <summary>Puts another float in the place of one.</summary>
    public void Replace(int index, double value) => values[index] = value;

    /// <summary>Forgets all samples and keeps the columns.</summary>
    public void Clear()
    {
        if (histograms is not null)
        {
            ArrayPool<FloatHistogram?>.Shared.Return(histograms, clearArray: true);
            histograms = null;
        }

        if (startTimes is not null)
        {
            ArrayPool<long>.Shared.Return(startTimes);
            startTimes = null;
        }

        Count = 0;
        EncodedBytes = 0;
        EncodedChunks = 0;
        RawCounterAtEnd = null;
    }

    /// <summary>Appends a float sample. The time must exceed the last one.</summary>
    public void Add(long timeMs, double value)
    {
        if (Count == times.Length)
        {
            Grow(Count + 1);
        }

        times[Count] = timeMs;
        values[Count] = value;
        Count++;
    }

    /// <summary>Appends a histogram sample. The time must exceed the last one; the histogram is shared, not copied, and so must not change.</summary>
    public void Add(long timeMs, FloatHistogram histogram)
    {
        Add(timeMs, double.NaN);
        Put(Count - 1, histogram);
    }

    /// <summary>Makes a sample that is there a histogram.</summary>
    internal void Put(int index, FloatHistogram histogram)
    {
        if (histograms is null)
        {
            histograms = ArrayPool<FloatHistogram?>.Shared.Rent(times.Length);
            Array.Clear(histograms);
        }

        histograms[index] = histogram;
    }

    /// <summary>Puts another histogram in the place of one.</summary>
    public void Replace(int index, FloatHistogram histogram) => histograms![index] = histogram;

    /// <summary>Gives the last sample a start timestamp.</summary>
    public void SetStartTime(long startMs) => PutStartTime(Count - 1, startMs);

    /// <summary>Gives a sample that is there a start timestamp.</summary>
    internal void PutStartTime(int index, long startMs)
    {
        if (startTimes is null)
        {
            startTimes = ArrayPool<long>.Shared.Rent(times.Length);
            Array.Clear(startTimes);
        }

        startTimes[index] = startMs;
    }

    /// <summary>Appends one sample of another buffer, whatever its kind.</summary>
    public void AddFrom(SampleBuffer other, int index)
    {
        if (other.histograms is { } from && from[index] is { } histogram)
        {
            Add(other.times[index], histogram);
        }
        else
        {
            Add(other.times[index], other.values[index]);
        }

        if (other.startTimes is { } starts && starts[index] != 0)
        {
            SetStartTime(starts[index]);
        }
    }

    /// <summary>Appends the samples of another buffer from an index on.</summary>
    public void AddAllFrom(SampleBuffer other, int start = 0)
    {
        for (var i = start; i < other.Count; i++)
        {
            AddFrom(other, i);
        }
    }

    /// <summary>Appends to a buffer the samples of two others, each ascending in time, as one ascending run; of two samples at one instant that of <paramref name="winner"/> stays.</summary>
    public static void Merge(SampleBuffer winner, SampleBuffer other, SampleBuffer into)
    {
        into.NoteEncoded(winner.EncodedBytes + other.EncodedBytes, winner.EncodedChunks + other.EncodedChunks);
        int w = 0, o = 0;
        while (w < winner.Count || o < other.Count)
        {
            if (o == other.Count || (w < winner.Count && winner.times[w] <= other.times[o]))
            {
                o += o < other.Count && winner.times[w] == other.times[o] ? 1 : 0;
                into.AddFrom(winner, w++);
            }
            else
            {
                into.AddFrom(other, o++);
            }
        }
    }

    /// <summary>Columns with room for <paramref name="count"/> more samples, for decoders that write in bulk; follow with <see cref="Advance"/>.</summary>
    public void Reserve(int count, out Span<long> timeColumn, out Span<double> valueColumn)
    {
        if (Count + count > times.Length)
        {
            Grow(Count + count);
        }

        timeColumn = times.AsSpan(Count);
        valueColumn = values.AsSpan(Count);
    }

    /// <summary>Takes over the first <paramref name="count"/> entries written into the columns from <see cref="Reserve"/>.</summary>
    public void Advance(int count) => Count += count;

    /// <summary>Drops samples after the first <paramref name="count"/>.</summary>
    public void Truncate(int count)
    {
        histograms?.AsSpan(count, Count - count).Clear();
        startTimes?.AsSpan(count, Count - count).Clear();
        Count = count;
    }

    /// <summary>Gives the columns back to the pool.</summary>
    public void Dispose()
    {
        Clear();
        if (times.Length > 0)
        {
            ArrayPool<long>.Shared.Return(times);
            ArrayPool<double>.Shared.Return(values);
            times = [];
            values = [];
        }
    }

    private void Grow(int atLeast)
    {
        var size = Math.Max(atLeast, Math.Max(256, Count * 2));
        times = Grown(times, size);
        values = Grown(values, size);
        if (histograms is not null)
        {
            histograms = Grown(histograms, times.Length);
        }

        if (startTimes is not null)
        {
            startTimes = Grown(startTimes, times.Length);
        }
    }

    private T[] Grown<T>(T[] old, int size)
    {
        var grown = ArrayPool<T>.Shared.Rent(size);
        Array.Copy(old, grown, Count);
        grown.AsSpan(Count).Clear();
        if (old.Length > 0)
        {
            ArrayPool<T>.Shared.Return(old, clearArray: System.Runtime.CompilerServices.RuntimeHelpers.IsReferenceOrContainsReferences<T>());
        }

        return grown;
    }
}
