using System.Buffers;
using Metrics.Model;

namespace Metrics.PromQL.Aggregates;

/// <summary>The states of an aggregation: for each group and step some numbers, a byte of flags and up to two histograms. Plain data, so it travels.</summary>
/// <remarks>Cell (group, step) has index group * steps + step in every column. Arrays are pooled; one owner, who disposes.</remarks>
internal sealed class StateColumns : IDisposable
{
    private readonly double[][] numbers;
    private byte[] flags;
    private FloatHistogram?[]? sums;
    private FloatHistogram?[]? compensations;

    /// <summary>Makes cleared states.</summary>
    public StateColumns(int groups, int steps, int numberColumns)
    {
        Groups = groups;
        Steps = steps;
        var cells = groups * steps;
        numbers = new double[numberColumns][];
        for (var i = 0; i < numberColumns; i++)
        {
            numbers[i] = ArrayPool<double>.Shared.Rent(Math.Max(1, cells));
            numbers[i].AsSpan(0, cells).Clear();
        }

        flags = ArrayPool<byte>.Shared.Rent(Math.Max(1, cells));
        flags.AsSpan(0, cells).Clear();
    }

    public int Groups { get; }

    public int Steps { get; }

    public int Cells => Groups * Steps;

    public int NumberColumns => numbers.Length;

    public bool HasHistograms => sums is not null;

    public bool HasCompensations => compensations is not null;

    /// <summary>One column of numbers over the steps of a group.</summary>
    public Span<double> Numbers(int column, int group) => numbers[column].AsSpan(group * Steps, Steps);

    /// <summary>The flags over the steps of a group.</summary>
    public Span<byte> Flags(int group) => flags.AsSpan(group * Steps, Steps);

    /// <summary>The histograms over the steps of a group, made on first use.</summary>
    public Span<FloatHistogram?> Histograms(int group) => (sums ??= New()).AsSpan(group * Steps, Steps);

    /// <summary>The compensations of those histograms.</summary>
    public Span<FloatHistogram?> Compensations(int group) => (compensations ??= New()).AsSpan(group * Steps, Steps);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (flags.Length == 0)
        {
            return;
        }

        foreach (var column in numbers)
        {
            ArrayPool<double>.Shared.Return(column);
        }

        ArrayPool<byte>.Shared.Return(flags);
        flags = [];
    }

    private FloatHistogram?[] New() => new FloatHistogram?[Math.Max(1, Cells)];
}
