using Metrics.Model;
using Metrics.PromQL.Functions;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>A function over windows: decodes each series once and lets the function slide over it.</summary>
internal sealed class RangeCallOperator : VectorOperator
{
    private readonly RangeCallNode node;
    private readonly WindowSource source;
    private readonly RangeFunction function;
    private readonly IReadOnlyList<double[]> parameters;
    private readonly EvaluationContext context;
    private readonly RangeWindows windows;
    private readonly SampleBuffer samples = new();
    private readonly IReadOnlyList<SeriesHeader> series;
    private readonly SampleTally tally;
    private int next;

    /// <summary>Makes the operator; <paramref name="parameters"/> are the scalar arguments by step.</summary>
    public RangeCallOperator(RangeCallNode node, WindowSource source, RangeFunction function, IReadOnlyList<double[]> parameters, EvaluationContext context)
    {
        this.node = node;
        this.source = source;
        this.function = function;
        this.parameters = parameters;
        this.context = context;
        windows = source.Windows;
        tally = context.Counter.NewTally(node.Grid.Count);
        series = HeaderMap.DropNames(source.Series, context, keptWhereKept: function.KeepsMetricName);
    }

    /// <inheritdoc/>
    public override int Steps => node.Grid.Count;

    /// <inheritdoc/>
    public override IReadOnlyList<SeriesHeader> Series => series;

    /// <inheritdoc/>
    public override StepBatch? Next()
    {
        if (next == series.Count)
        {
            return null;
        }

        var batch = new StepBatch(Math.Min(BatchSize, series.Count - next), Steps);
        for (var row = 0; row < batch.Series; row++, next++)
        {
            context.Checkpoint();
            samples.Clear();
            source.Read(samples);
            if (samples.Count == 0)
            {
                continue;
            }

            var labels = SharedHeaders.QuotedOf(source.Series, next);
            function.Evaluate(samples, windows, new RangeContext(parameters, context.Annotations, node.Call, labels, context.Options), batch.Row(row));
            Count();
            if (node.Call.Function.Name is "rate" or "increase")
            {
                CounterName.Check(labels, batch.Row(row), node.Call.Arguments[0].Position, context);
            }
        }

        context.Counter.Add(tally, node.Grid);
        tally.Clear();
        return batch;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        samples.Dispose();
        source.Dispose();
    }

    private void Count()
    {
        // What a subquery read is counted where it reads.
        var isStored = source is not SubqueryWindows;
        var times = samples.Times;
        var histograms = samples.Histograms;
        var from = 0;
        var to = 0;
        var known = 0;
        var inWindow = 0L;
        var lastEnd = long.MinValue;
        for (var step = 0; step < Steps; step++)
        {
            var end = windows.EndOf(step);
            var read = 0L;
            for (; to < times.Length && times[to] <= end; to++)
            {
                inWindow += Weight(histograms, to);
            }

            for (; from < to && times[from] <= end - windows.RangeMs; from++)
            {
                inWindow -= Weight(histograms, from);
            }

            if (isStored && end != lastEnd)
            {
                // New are those behind the window before, one step earlier.
                for (known = Math.Max(known, from); known < to; known++)
                {
                    read += Weight(histograms, known);
                }
            }

            lastEnd = end;
            tally.Add(step, inWindow, read);
        }
    }

    private static long Weight(ReadOnlySpan<FloatHistogram?> histograms, int at) => !histograms.IsEmpty && histograms[at] is { } histogram ? SampleSize.Of(histogram) : 1;
}
