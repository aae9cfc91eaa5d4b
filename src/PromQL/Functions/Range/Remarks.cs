using Metrics.Model;

namespace Metrics.PromQL.Functions;

/// <summary>Annotations of range functions, each kind once per series, so that no text is built per step.</summary>
internal sealed class Remarks(RangeContext context)
{
    private int said;

    private string Name => LabelsText.Quote(context.Series[Labels.MetricName]);

    public void Mixed() => Warn(1, "encountered a mix of histograms and floats for metric name ", named: true);

    public void NotCounter() => Warn(2, "this native histogram metric is not a counter: ", named: true);

    public void NotGauge() => Warn(4, "this native histogram metric is not a gauge: ", named: true);

    public void MixedSchemas() => Warn(8, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name ", named: true);

    public void StartOverlap() => Warn(16, "sample has start time that overlaps with previous sample timestamp for metric ", named: true);

    public void ResetCollision() => Warn(32, "conflicting counter resets during histogram aggregation", named: false);

    public void HistogramsIgnored() =>
        Info(64, "ignored histograms in a range containing both floats and histograms for metric name ", named: true);

    public void ReconciledIn(string operation) => Info(
        operation switch { "addition" => 128, "subtraction" => 256, _ => 512 }, "mismatched custom buckets were reconciled during " + operation, named: false);

    /// <summary>Each bad quantile is a remark of its own.</summary>
    public void BadQuantile(double quantile) => context.Annotations.Warn(
        $"quantile value should be between 0 and 1, got {ShortestNumber.Of(quantile)}", context.Call.Arguments[0].Position);

    private bool First(int kind)
    {
        var first = (said & kind) == 0;
        said |= kind;
        return first;
    }

    private void Warn(int kind, string text, bool named)
    {
        if (First(kind))
        {
            context.Annotations.Warn(named ? text + Name : text, context.Call.Arguments[0].Position);
        }
    }

    private void Info(int kind, string text, bool named)
    {
        if (First(kind))
        {
            context.Annotations.Info(named ? text + Name : text, context.Call.Arguments[0].Position);
        }
    }
}
