using Metrics.Model;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>An instant selector with <c>smoothed</c>: between two samples the value is interpolated, after the last one it is carried forward.</summary>
internal static class SmoothedSelection
{
    /// <summary>Sets the results of one series.</summary>
    public static void Fill(SampleBuffer samples, SelectNode node, Labels labels, EvaluationContext context, StepRow row)
    {
        samples.RemoveStale();
        var times = samples.Times;
        var values = samples.Values;
        var histograms = samples.Histograms;
        for (var step = 0; step < row.Steps; step++)
        {
            var time = (node.AtMs ?? node.Grid.At(step)) - node.OffsetMs;
            var from = FirstAfter(times, time - node.LookbackMs);
            var to = FirstAfter(times, time + node.LookbackMs);
            if (from == to)
            {
                continue;
            }

            var kinds = Kinds(histograms, from, to);
            if (kinds == 3)
            {
                context.Warn($"encountered a mix of histograms and floats for metric name {LabelsText.Quote(labels[Labels.MetricName])}", node.Position);
                continue;
            }

            var next = from;
            while (next < to && times[next] < time)
            {
                next++;
            }

            if (next < to && times[next] == time)
            {
                Copy(row, step, values, histograms, next, kinds == 2);
            }
            else if (next > from && next < to && kinds == 1)
            {
                var share = (double)(time - times[next - 1]) / (times[next] - times[next - 1]);
                row.Set(step, values[next - 1] + ((values[next] - values[next - 1]) * share));
            }
            else if (next > from && next < to)
            {
                if (Between(histograms[next - 1]!, times[next - 1], histograms[next]!, times[next], time, labels, node, context) is { } between)
                {
                    row.Set(step, between);
                }
            }
            else if (next > from)
            {
                if (kinds == 1)
                {
                    row.Set(step, values[next - 1]);
                }
                else
                {
                    // What was known of a reset was known of the sample, not of its repetition.
                    row.Set(step, histograms[next - 1]!.WithHint(CounterResetHint.Unknown));
                }
            }
        }
    }

    /// <summary>The histogram on the line between two; after a reset, on the line from nothing.</summary>
    private static FloatHistogram? Between(
        FloatHistogram left, long leftMs, FloatHistogram right, long rightMs, long timeMs, Labels labels, SelectNode node, EvaluationContext context)
    {
        if (!left.IsCompatibleWith(right))
        {
            context.Warn(
                $"vector contains a mix of histograms with exponential and custom buckets schemas for metric name {LabelsText.Quote(labels[Labels.MetricName])}", node.Position);
            return null;
        }

        var share = (double)(timeMs - leftMs) / (rightMs - leftMs);
        var isCounter = left.CounterResetHint != CounterResetHint.Gauge || right.CounterResetHint != CounterResetHint.Gauge;
        var result = right.Copy();
        if (isCounter && right.DetectReset(left))
        {
            return result.Multiply(share);
        }

        result.TrySubtract(left, out var found);
        if (found.HasFlag(HistogramReconciliation.CustomBounds))
        {
            context.Info("mismatched custom buckets were reconciled during subtraction", node.Position);
        }

        result.Multiply(share).TryAdd(left, out found);
        if (found.HasFlag(HistogramReconciliation.CustomBounds))
        {
            context.Info("mismatched custom buckets were reconciled during addition", node.Position);
        }

        return result;
    }

    private static int Kinds(ReadOnlySpan<FloatHistogram?> histograms, int from, int to)
    {
        if (histograms.IsEmpty)
        {
            return 1;
        }

        var kinds = 0;
        for (var i = from; i < to; i++)
        {
            kinds |= histograms[i] is null ? 1 : 2;
        }

        return kinds;
    }

    private static void Copy(StepRow row, int step, ReadOnlySpan<double> values, ReadOnlySpan<FloatHistogram?> histograms, int at, bool isHistogram)
    {
        if (isHistogram)
        {
            row.Set(step, histograms[at]!);
        }
        else
        {
            row.Set(step, values[at]);
        }
    }

    private static int FirstAfter(ReadOnlySpan<long> times, long time)
    {
        var at = times.BinarySearch(time);
        return at < 0 ? ~at : at + 1;
    }
}
