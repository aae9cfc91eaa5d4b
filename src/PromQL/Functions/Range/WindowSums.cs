using System.Buffers;
using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary>Compensated sums over any run of a series, from sums of blocks: O(run / block), and infinities or NaN that leave a window leave its sum.</summary>
internal struct WindowSums
{
    private const int BlockSamples = 64;

    private double[]? sums;
    private double[]? compensations;

    /// <summary>Sums up the blocks of the series.</summary>
    public void Begin(ReadOnlySpan<double> values)
    {
        var blocks = values.Length / BlockSamples;
        if (blocks == 0)
        {
            return;
        }

        sums = ArrayPool<double>.Shared.Rent(blocks);
        compensations = ArrayPool<double>.Shared.Rent(blocks);
        for (var block = 0; block < blocks; block++)
        {
            sums[block] = 0;
            compensations[block] = 0;
            Plain(values.Slice(block * BlockSamples, BlockSamples), ref sums[block], ref compensations[block]);
        }
    }

    /// <summary>Gives the memory back.</summary>
    public void Return()
    {
        if (sums is not null)
        {
            ArrayPool<double>.Shared.Return(sums);
            ArrayPool<double>.Shared.Return(compensations!);
            sums = null;
        }
    }

    /// <summary>The sum of the values in [from, to) and what rounding lost.</summary>
    public readonly void Of(ReadOnlySpan<double> values, int from, int to, out double sum, out double compensation)
    {
        sum = 0;
        compensation = 0;
        var firstBlock = (from + BlockSamples - 1) / BlockSamples;
        var endBlock = to / BlockSamples;
        if (firstBlock >= endBlock)
        {
            Plain(values[from..to], ref sum, ref compensation);
            return;
        }

        Plain(values[from..(firstBlock * BlockSamples)], ref sum, ref compensation);
        for (var block = firstBlock; block < endBlock; block++)
        {
            KahanSum.Add(sums![block], ref sum, ref compensation);
            compensation += compensations![block];
        }

        Plain(values[(endBlock * BlockSamples)..to], ref sum, ref compensation);
        if (!double.IsFinite(sum))
        {
            // A block may overflow where the sum in order of time does not.
            sum = 0;
            compensation = 0;
            Plain(values[from..to], ref sum, ref compensation);
        }
    }

    private static void Plain(ReadOnlySpan<double> values, ref double sum, ref double compensation)
    {
        foreach (var value in values)
        {
            KahanSum.Add(value, ref sum, ref compensation);
        }
    }
}
