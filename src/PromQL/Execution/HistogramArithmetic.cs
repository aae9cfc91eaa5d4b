using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.Execution;

/// <summary>Histogram operations as the operators need them: operands are shared and never change, results are new.</summary>
internal static class HistogramArithmetic
{
    public static FloatHistogram Scale(FloatHistogram histogram, double factor, bool compact) => throw Unsupported();

    public static FloatHistogram Divide(FloatHistogram histogram, double divisor) => throw Unsupported();

    public static FloatHistogram Trim(FloatHistogram histogram, double bound, bool isUpper) => throw Unsupported();

    public static bool AreEqual(FloatHistogram a, FloatHistogram b) => throw Unsupported();

    public static FloatHistogram? AddOrSubtract(FloatHistogram a, FloatHistogram b, bool subtract, PositionRange position, EvaluationContext context) => throw Unsupported();

    public static FloatHistogram Add(FloatHistogram a, FloatHistogram b) => throw Unsupported();

    public static bool Accumulate(ref FloatHistogram sum, ref FloatHistogram? compensation, FloatHistogram term, out bool reconciled) => throw Unsupported();

    public static FloatHistogram Total(FloatHistogram sum, FloatHistogram? compensation, double count) => throw Unsupported();

    public static string TextOf(FloatHistogram histogram) => throw Unsupported();

    private static QueryException Unsupported() => new(QueryErrorKind.Execution, "arithmetic between native histograms is not available in this build");
}
