using System.Buffers;

namespace Metrics.PromQL.Functions;

/// <summary><c>max_over_time</c>, <c>min_over_time</c> and the times of these: a monotonic deque of positions, O(1) amortised per sample.</summary>
/// <remarks>NaN is an extreme only where there is nothing else. Of equal extremes the value is the first's and the time the last's.</remarks>
internal struct ExtremeKernel(bool isMax, bool wantsTime) : IWindowKernel
{
    private int[]? positions;
    private int head;
    private int tail;
    private int seen;

    /// <inheritdoc/>
    public void Begin(in SplitSamples samples, in RangeContext context) => positions = ArrayPool<int>.Shared.Rent(Math.Max(1, samples.Floats.Length));

    /// <inheritdoc/>
    public readonly void End() => ArrayPool<int>.Shared.Return(positions!);

    /// <inheritdoc/>
    public void Step(scoped in Window window, in RangeContext context, Remarks remarks, StepRow into)
    {
        if (window.FloatCount == 0)
        {
            return;
        }

        if (window.HistogramCount > 0)
        {
            remarks.HistogramsIgnored();
        }

        var values = window.Samples.Floats;
        for (seen = Math.Max(seen, window.FloatFrom); seen < window.FloatTo; seen++)
        {
            if (!double.IsNaN(values[seen]))
            {
                Push(values, seen);
            }
        }

        while (head < tail && positions![head] < window.FloatFrom)
        {
            head++;
        }

        var best = head < tail ? positions![head] : window.FloatTo - 1;
        into.Set(window.Step, wantsTime ? window.Samples.FloatTimes[best] / 1000.0 : values[best]);
    }

    // Every position enters once, so that the array, as long as the series, is never outgrown.
    private void Push(ReadOnlySpan<double> values, int position)
    {
        while (tail > head && IsBeaten(values[positions![tail - 1]], values[position]))
        {
            tail--;
        }

        positions![tail++] = position;
    }

    private readonly bool IsBeaten(double old, double now) => (isMax ? old < now : old > now) || (wantsTime && old == now);
}
