using Metrics.Model;
using Metrics.PromQL.Functions;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>Where a range function gets the samples of its windows from, series by series in order.</summary>
internal abstract class WindowSource : IDisposable
{
    /// <summary>The series.</summary>
    public abstract IReadOnlyList<SeriesHeader> Series { get; }

    /// <summary>The windows.</summary>
    public abstract RangeWindows Windows { get; }

    /// <summary>Appends the samples of the next series, without stale markers.</summary>
    public abstract void Read(SampleBuffer into);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>Windows over stored samples.</summary>
internal sealed class SelectorWindows(MatrixNode node, SelectedSeries selected) : WindowSource
{
    private int next;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => selected.Headers;

    /// <inheritdoc/>
    public override RangeWindows Windows { get; } = new(node.Grid, node.RangeMs, node.Selector.OffsetMs, node.Selector.AtMs, node.Selector.Mode);

    /// <inheritdoc/>
    public override void Read(SampleBuffer into)
    {
        selected.Read(next++, into);
        into.RemoveStale();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
    }
}

/// <summary>Windows over the results of a subquery, each step of its own grid being a sample.</summary>
internal sealed class SubqueryWindows(SubqueryNode node, VectorOperator inner) : WindowSource
{
    private StepBatch? batch;
    private int row;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => inner.Series;

    /// <inheritdoc/>
    public override RangeWindows Windows { get; } = new(node.Grid, node.RangeMs, node.OffsetMs, node.AtMs, Parsing.RangeMode.None);

    /// <inheritdoc/>
    public override void Read(SampleBuffer into)
    {
        while (batch is null || row == batch.Series)
        {
            batch?.Dispose();
            batch = inner.Next() ?? throw new QueryException(QueryErrorKind.Internal, "a subquery gave fewer series than it named");
            row = 0;
        }

        var values = batch.Row(row++);
        var grid = node.Inner.Grid;
        for (var step = 0; step < values.Steps; step++)
        {
            if (!values.Has(step))
            {
                continue;
            }

            if (values.Histogram(step) is { } histogram)
            {
                into.Add(grid.At(step), WithoutHint(histogram));
            }
            else
            {
                into.Add(grid.At(step), values.Values[step]);
            }
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        batch?.Dispose();
        inner.Dispose();
    }

    // A subquery sees some samples twice and others never, so hints about resets between neighbours no longer hold.
    private static FloatHistogram WithoutHint(FloatHistogram histogram) =>
        histogram.CounterResetHint is CounterResetHint.Unknown or CounterResetHint.Gauge
            ? histogram
            : histogram.WithHint(CounterResetHint.Unknown);
}
