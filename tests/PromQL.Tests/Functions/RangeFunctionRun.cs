using Metrics.Model;
using Metrics.PromQL.Functions;
using Metrics.PromQL.Parsing;
using Xunit;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL.Tests.Functions;

/// <summary>Runs one range function over samples written down in a test.</summary>
internal sealed class RangeFunctionRun
{
    private static readonly Labels series = Labels.Of((Labels.MetricName, "m"));
    private readonly string name;
    private readonly double[] parameters;

    public RangeFunctionRun(string name, params double[] parameters)
    {
        this.name = name;
        this.parameters = parameters;
    }

    public AnnotationSet Annotations { get; } = new();

    public EngineOptions Options { get; init; } = new();

    public RangeMode Mode { get; init; }

    public long? AtMs { get; init; }

    public IReadOnlyList<string> Remarks => [.. Annotations.ToList().Select(annotation => annotation.Message)];

    /// <summary>The results by step; null where there is none.</summary>
    public double?[] Floats(SampleBuffer samples, TimeGrid grid, long rangeMs)
    {
        using var batch = Run(samples, grid, rangeMs);
        var row = batch.Row(0);
        return [.. Enumerable.Range(0, grid.Count).Select(step => row.Has(step) ? row.Histogram(step) is null ? row.Values[step] : double.NaN : (double?)null)];
    }

    /// <summary>The histogram results by step; null where there is none.</summary>
    public FloatHistogram?[] Histograms(SampleBuffer samples, TimeGrid grid, long rangeMs)
    {
        using var batch = Run(samples, grid, rangeMs);
        var row = batch.Row(0);
        return [.. Enumerable.Range(0, grid.Count).Select(step => row.Has(step) ? row.Histogram(step) : null)];
    }

    private StepBatch Run(SampleBuffer samples, TimeGrid grid, long rangeMs)
    {
        Assert.True(RangeFunctions.TryGet(name, out var function));
        var position = new PositionRange(0, 1);
        var call = new CallExpr(
            new FunctionSignature(name, [], 0, ValueType.Vector, false), [new NumberLiteral(0, false, position)], position);
        double[][] columns = [.. parameters.Select(value => Enumerable.Repeat(value, grid.Count).ToArray())];
        var batch = new StepBatch(1, grid.Count);
        function.Evaluate(
            samples, new RangeWindows(grid, rangeMs, 0, AtMs, Mode), new RangeContext(columns, Annotations, call, series, Options), batch.Row(0));
        return batch;
    }
}
