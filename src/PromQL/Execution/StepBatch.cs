using System.Buffers;
using Metrics.Model;

namespace Metrics.PromQL;

/// <summary>Results of several series at all steps: row-major columns of Series x Steps values with a presence bitmap.</summary>
/// <remarks>
/// A step at which a series has no result has its presence bit clear and an unspecified value. Where a histogram is set the float is meaningless.
/// Arrays are pooled: one owner, who disposes. Not thread-safe.
/// </remarks>
public sealed class StepBatch : IDisposable
{
    private double[] values;
    private ulong[] present;
    private FloatHistogram?[]? histograms;

    /// <summary>Rents room for <paramref name="series"/> rows, all absent.</summary>
    public StepBatch(int series, int steps)
    {
        Steps = steps;
        WordsPerRow = (steps + 63) / 64;
        Series = series;
        values = ArrayPool<double>.Shared.Rent(Math.Max(1, series * steps));
        present = ArrayPool<ulong>.Shared.Rent(Math.Max(1, series * WordsPerRow));
        present.AsSpan(0, series * WordsPerRow).Clear();
    }

    /// <summary>The number of rows.</summary>
    public int Series { get; private set; }

    /// <summary>The number of steps in a row.</summary>
    public int Steps { get; }

    /// <summary>Presence words in a row: bit s % 64 of word s / 64 tells whether step s has a result.</summary>
    public int WordsPerRow { get; }

    /// <summary>True when some row may hold a histogram.</summary>
    public bool HasHistograms => histograms is not null;

    /// <summary>One row.</summary>
    public StepRow Row(int series) => new(this, series);

    /// <summary>The float column of a row.</summary>
    public Span<double> ValuesOf(int series) => values.AsSpan(series * Steps, Steps);

    /// <summary>The presence words of a row.</summary>
    public Span<ulong> PresenceOf(int series) => present.AsSpan(series * WordsPerRow, WordsPerRow);

    /// <summary>The histogram column of a row; empty when the batch holds none.</summary>
    public Span<FloatHistogram?> HistogramsOf(int series) => histograms is null ? default : histograms.AsSpan(series * Steps, Steps);

    /// <summary>The number of results in all rows; a histogram counts as its size.</summary>
    public long CountPresent()
    {
        var count = 0L;
        for (var word = 0; word < Series * WordsPerRow; word++)
        {
            count += System.Numerics.BitOperations.PopCount(present[word]);
        }

        if (histograms is not null)
        {
            for (var i = 0; i < Series * Steps; i++)
            {
                if (histograms[i] is { } histogram)
                {
                    count += Execution.SampleSize.Of(histogram) - 1;
                }
            }
        }

        return count;
    }

    /// <summary>Gives the columns back.</summary>
    public void Dispose()
    {
        if (values.Length > 0)
        {
            ArrayPool<double>.Shared.Return(values);
            ArrayPool<ulong>.Shared.Return(present);
            if (histograms is not null)
            {
                ArrayPool<FloatHistogram?>.Shared.Return(histograms, clearArray: true);
            }

            values = [];
            present = [];
            histograms = null;
        }
    }

    /// <summary>Drops rows after the first <paramref name="series"/>.</summary>
    internal void Trim(int series) => Series = series;

    internal Span<FloatHistogram?> EnsureHistogramsOf(int series)
    {
        if (histograms is null)
        {
            histograms = ArrayPool<FloatHistogram?>.Shared.Rent(values.Length);
            Array.Clear(histograms);
        }

        return histograms.AsSpan(series * Steps, Steps);
    }
}

/// <summary>One row of a <see cref="StepBatch"/>: the results of one series.</summary>
public readonly struct StepRow
{
    private readonly StepBatch batch;
    private readonly int row;

    internal StepRow(StepBatch batch, int row)
    {
        this.batch = batch;
        this.row = row;
    }

    /// <summary>The number of steps.</summary>
    public int Steps => batch.Steps;

    /// <summary>Floats by step.</summary>
    public Span<double> Values => batch.ValuesOf(row);

    /// <summary>Presence words.</summary>
    public Span<ulong> Presence => batch.PresenceOf(row);

    /// <summary>True when the step has a result.</summary>
    public bool Has(int step) => (batch.PresenceOf(row)[step >> 6] >> (step & 63) & 1) != 0;

    /// <summary>Sets a float result.</summary>
    public void Set(int step, double value)
    {
        batch.ValuesOf(row)[step] = value;
        batch.PresenceOf(row)[step >> 6] |= 1UL << (step & 63);
        if (batch.HasHistograms)
        {
            batch.HistogramsOf(row)[step] = null;
        }
    }

    /// <summary>Sets a histogram result, which is kept and so must not change afterwards.</summary>
    public void Set(int step, FloatHistogram histogram)
    {
        batch.PresenceOf(row)[step >> 6] |= 1UL << (step & 63);
        batch.EnsureHistogramsOf(row)[step] = histogram;
    }

    /// <summary>Removes a result.</summary>
    public void Clear(int step)
    {
        batch.PresenceOf(row)[step >> 6] &= ~(1UL << (step & 63));
        if (batch.HasHistograms)
        {
            batch.HistogramsOf(row)[step] = null;
        }
    }

    /// <summary>Marks all steps as having a result.</summary>
    public void SetAllPresent()
    {
        var words = Presence;
        words.Fill(ulong.MaxValue);
        if ((Steps & 63) != 0)
        {
            words[^1] = (1UL << (Steps & 63)) - 1;
        }
    }

    /// <summary>True when no step has a result.</summary>
    public bool IsEmpty => !Presence.ContainsAnyExcept(0UL);

    /// <summary>True when some result is a histogram.</summary>
    public bool AnyHistogram
    {
        get
        {
            if (!batch.HasHistograms)
            {
                return false;
            }

            foreach (var histogram in batch.HistogramsOf(row))
            {
                if (histogram is not null)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Writes every result of this row into another of as many steps; results the other has at other steps stay.</summary>
    public void CopyTo(StepRow into)
    {
        if (into.IsEmpty && !batch.HasHistograms)
        {
            Values.CopyTo(into.Values);
            Presence.CopyTo(into.Presence);
            return;
        }

        for (var step = 0; step < Steps; step++)
        {
            if (!Has(step))
            {
                continue;
            }

            if (Histogram(step) is { } histogram)
            {
                into.Set(step, histogram);
            }
            else
            {
                into.Set(step, Values[step]);
            }
        }
    }

    /// <summary>The histogram at a step, or null when the result is a float or absent.</summary>
    public FloatHistogram? Histogram(int step) => batch.HasHistograms ? batch.HistogramsOf(row)[step] : null;
}
