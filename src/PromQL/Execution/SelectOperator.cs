using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>An instant selector over some of the series of a set: at each step the newest sample that is not too old, unless it is a stale marker.</summary>
internal sealed class SelectOperator : VectorOperator
{
    private readonly SelectNode node;
    private readonly SelectedSeries selected;
    private readonly EvaluationContext context;
    private readonly SampleBuffer samples = new();
    private readonly SampleTally tally;
    private readonly SampleColumn column;
    private int next;

    /// <summary>Makes the operator; <paramref name="column"/> tells what of a sample is wanted.</summary>
    public SelectOperator(SelectNode node, SelectedSeries selected, SampleColumn column, EvaluationContext context)
    {
        this.node = node;
        this.selected = selected;
        this.column = column;
        this.context = context;
        tally = context.Counter.NewTally(node.Grid.Count);
    }

    /// <inheritdoc/>
    public override int Steps => node.Grid.Count;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => selected.Headers;

    /// <inheritdoc/>
    public override StepBatch? Next()
    {
        if (next == selected.Count)
        {
            return null;
        }

        var batch = new StepBatch(Math.Min(BatchSize, selected.Count - next), Steps);
        for (var row = 0; row < batch.Series; row++, next++)
        {
            context.Checkpoint();
            samples.Clear();
            selected.Read(next, samples);
            if (node.Mode == RangeMode.Smoothed)
            {
                SmoothedSelection.Fill(samples, node, SharedHeaders.QuotedOf(selected.Headers, next), context, batch.Row(row));
            }
            else
            {
                Fill(batch.Row(row));
            }
        }

        context.Counter.Add(tally, node.Grid);
        tally.Clear();
        return batch;
    }

    /// <inheritdoc/>
    public override void Dispose() => samples.Dispose();

    private void Fill(StepRow row)
    {
        var times = samples.Times;
        var values = samples.Values;
        var histograms = samples.Histograms;
        var results = row.Values;
        var presence = row.Presence;
        var grid = node.Grid;
        var steps = row.Steps;
        var at = -1;
        var found = 0L;
        for (var step = 0; step < steps; step++)
        {
            var time = (node.AtMs ?? grid.At(step)) - node.OffsetMs;
            while (at + 1 < times.Length && times[at + 1] <= time)
            {
                at++;
            }

            if (at < 0 || times[at] <= time - node.LookbackMs)
            {
                continue;
            }

            if (!histograms.IsEmpty && histograms[at] is { } histogram)
            {
                if (StaleMarker.Is(histogram.Sum))
                {
                    continue;
                }

                found += SampleSize.Of(histogram);
                // Info series are to be floats: who asked for their times is told where one is not.
                if (column == SampleColumn.Value || node.Hints.Function == InfoSelection.Function)
                {
                    row.Set(step, histogram);
                    continue;
                }
            }
            else if (StaleMarker.Is(values[at]))
            {
                continue;
            }

            found++;
            results[step] = column switch
            {
                SampleColumn.Time => times[at] / 1000.0,
                SampleColumn.StartTime => samples.StartTimes.IsEmpty ? 0 : samples.StartTimes[at] / 1000.0,
                _ => values[at],
            };
            presence[step >> 6] |= 1UL << (step & 63);
        }

        if (tally.IsBySteps)
        {
            Count(row);
        }
        else
        {
            tally.Add(found, node.AtMs is null ? found : found / steps);
        }
    }

    private void Count(StepRow row)
    {
        for (var step = 0; step < row.Steps; step++)
        {
            if (row.Has(step))
            {
                var weight = row.Histogram(step) is { } histogram ? SampleSize.Of(histogram) : 1;
                tally.Add(step, weight, node.AtMs is null || step == 0 ? weight : 0);
            }
        }
    }
}

/// <summary>What of a sample a selector gives.</summary>
internal enum SampleColumn
{
    /// <summary>Its value.</summary>
    Value,

    /// <summary>Its time in seconds (<c>timestamp</c>).</summary>
    Time,

    /// <summary>Its start time in seconds (<c>start_timestamp</c>).</summary>
    StartTime,
}
