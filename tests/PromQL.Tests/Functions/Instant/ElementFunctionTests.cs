using Metrics.Model;
using Metrics.PromQL.Functions;
using Xunit;

namespace Metrics.PromQL.Tests.Functions.Instant;

public sealed class ElementFunctionTests
{
    private const double Inf = double.PositiveInfinity;

    [Theory]
    [InlineData("abs", -2.5, 2.5)]
    [InlineData("ceil", -1.5, -1)]
    [InlineData("floor", -1.5, -2)]
    [InlineData("sgn", -3, -1)]
    [InlineData("sgn", double.NaN, double.NaN)]
    [InlineData("sqrt", 9, 3)]
    [InlineData("sqrt", -1, double.NaN)]
    [InlineData("exp", 0, 1)]
    [InlineData("ln", 0, -Inf)]
    [InlineData("log2", 8, 3)]
    [InlineData("log10", 1000, 3)]
    [InlineData("rad", 180, Math.PI)]
    [InlineData("deg", Math.PI, 180)]
    [InlineData("acosh", 0.5, double.NaN)]
    [InlineData("atanh", 1, Inf)]
    [InlineData("round", 2.5, 3)]
    [InlineData("round", -2.5, -2)]
    public void AFloatHasTheValueOfTheFunction(string name, double value, double expected) => Assert.Equal(expected, Apply(name, value));

    [Theory]
    [InlineData(5, 2, 6)]
    [InlineData(13, 10, 10)]
    [InlineData(0.37, 0.1, 0.4)]
    [InlineData(1, 0, double.NaN)]
    public void RoundGoesToTheNearestMultipleAndTiesGoUp(double value, double nearest, double expected) =>
        Assert.Equal(expected, Apply("round", value, nearest)!.Value, 1e-12);

    [Theory]
    [InlineData("clamp_min", 1, 2, 2)]
    [InlineData("clamp_max", 3, 2, 2)]
    [InlineData("clamp_min", double.NaN, 2, double.NaN)]
    [InlineData("clamp_max", 3, double.NaN, double.NaN)]
    [InlineData("clamp_min", double.NaN, Inf, Inf)]
    [InlineData("clamp_max", double.NaN, -Inf, -Inf)]
    public void BoundsHoldValues(string name, double value, double bound, double expected) => Assert.Equal(expected, Apply(name, value, bound));

    [Fact]
    public void BoundsTheWrongWayRoundLeaveNothing() => Assert.Null(Apply("clamp", 1, 5, 2));

    [Fact]
    public void FunctionsOfFloatsLeaveHistogramsOutAndTheOtherWayRound()
    {
        using var batch = new StepBatch(2, 2);
        foreach (var at in new[] { 0, 1 })
        {
            batch.Row(at).Set(0, -4.0);
            batch.Row(at).Set(1, new FloatHistogram { Count = 4, Sum = 10 });
        }

        Assert.True(ElementFunctions.TryApply("abs", [], batch.Row(0)));
        Assert.True(ElementFunctions.TryApply("histogram_avg", [], batch.Row(1)));
        Assert.Equal(4, batch.Row(0).Values[0]);
        Assert.False(batch.Row(0).Has(1));
        Assert.False(batch.Row(1).Has(0));
        Assert.Null(batch.Row(1).Histogram(1));
        Assert.Equal(2.5, batch.Row(1).Values[1]);
    }

    [Fact]
    public void AnUnknownNameIsRefused()
    {
        using var batch = new StepBatch(1, 1);
        Assert.False(ElementFunctions.TryApply("rate", [], batch.Row(0)));
    }

    private static double? Apply(string name, double value, params double[] parameters)
    {
        using var batch = new StepBatch(1, 1);
        var row = batch.Row(0);
        row.Set(0, value);
        Assert.True(ElementFunctions.TryApply(name, [.. parameters.Select(p => new[] { p })], row));
        return row.Has(0) ? row.Values[0] : null;
    }
}
