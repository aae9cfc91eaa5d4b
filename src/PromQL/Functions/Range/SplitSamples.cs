using System.Buffers;
using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary>The samples of a series as two sets of columns, floats and histograms; without histograms the buffer's own columns serve.</summary>
internal readonly ref struct SplitSamples
{
    private readonly long[]? times;
    private readonly double[]? values;
    private readonly FloatHistogram[]? histograms;
    private readonly long[]? starts;

    public SplitSamples(SampleBuffer samples, bool useStartTimes)
    {
        var startTimes = useStartTimes ? samples.StartTimes : default;
        if (!samples.HasHistograms)
        {
            FloatTimes = samples.Times;
            Floats = samples.Values;
            FloatStarts = startTimes;
            return;
        }

        // Floats fill the columns from the front, histograms from the middle on.
        var count = samples.Count;
        var source = samples.Histograms;
        times = ArrayPool<long>.Shared.Rent(Math.Max(1, count * 2));
        values = ArrayPool<double>.Shared.Rent(Math.Max(1, count));
        histograms = ArrayPool<FloatHistogram>.Shared.Rent(Math.Max(1, count));
        starts = startTimes.IsEmpty ? null : ArrayPool<long>.Shared.Rent(count * 2);
        int floats = 0, others = 0;
        for (var i = 0; i < count; i++)
        {
            var at = source[i] is null ? floats : count + others;
            times[at] = samples.Times[i];
            if (starts is not null)
            {
                starts[at] = startTimes[i];
            }

            if (source[i] is { } histogram)
            {
                histograms[others++] = histogram;
            }
            else
            {
                values[floats++] = samples.Values[i];
            }
        }

        FloatTimes = times.AsSpan(0, floats);
        Floats = values.AsSpan(0, floats);
        HistogramTimes = times.AsSpan(count, others);
        Histograms = histograms.AsSpan(0, others);
        if (starts is not null)
        {
            FloatStarts = starts.AsSpan(0, floats);
            HistogramStarts = starts.AsSpan(count, others);
        }
    }

    /// <summary>Times of floats.</summary>
    public ReadOnlySpan<long> FloatTimes { get; }

    /// <summary>Floats.</summary>
    public ReadOnlySpan<double> Floats { get; }

    /// <summary>Start times of floats; empty when unknown or not wanted.</summary>
    public ReadOnlySpan<long> FloatStarts { get; }

    /// <summary>Times of histograms.</summary>
    public ReadOnlySpan<long> HistogramTimes { get; }

    /// <summary>Histograms.</summary>
    public ReadOnlySpan<FloatHistogram> Histograms { get; }

    /// <summary>Start times of histograms; empty when unknown or not wanted.</summary>
    public ReadOnlySpan<long> HistogramStarts { get; }

    /// <summary>Gives scratch back.</summary>
    public void Dispose()
    {
        if (times is null)
        {
            return;
        }

        ArrayPool<long>.Shared.Return(times);
        ArrayPool<double>.Shared.Return(values!);
        ArrayPool<FloatHistogram>.Shared.Return(histograms!, clearArray: true);
        if (starts is not null)
        {
            ArrayPool<long>.Shared.Return(starts);
        }
    }
}
