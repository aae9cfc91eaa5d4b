using System.Diagnostics.CodeAnalysis;
using Metrics.Model;
using Metrics.PromQL.Functions;

namespace Metrics.PromQL.Execution;

/// <summary>The range functions that the engine knows.</summary>
internal static class FunctionRegistry
{
    private static readonly RangeFunction present = new Present();

    public static bool TryRange(string name, [NotNullWhen(true)] out RangeFunction? function)
    {
        function = name == "present_over_time" ? present : null;
        return function is not null;
    }

    private sealed class Present : RangeFunction
    {
        public override void Evaluate(SampleBuffer samples, in RangeWindows windows, in RangeContext context, StepRow into)
        {
            var times = samples.Times;
            var last = -1;
            for (var step = 0; step < into.Steps; step++)
            {
                var end = windows.EndOf(step);
                while (last + 1 < times.Length && times[last + 1] <= end)
                {
                    last++;
                }

                if (last >= 0 && times[last] > end - windows.RangeMs)
                {
                    into.Set(step, 1);
                }
            }
        }
    }
}
