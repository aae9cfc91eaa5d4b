using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.TestScripts;

/// <summary>Reads native histograms in the notation of test scripts, <c>{{schema:0 count:3 buckets:[1 2]}}</c>.</summary>
internal static class HistogramLiteral
{
    /// <summary>Reads one literal with its braces. Nothing is checked against anything else, as in the reference.</summary>
    /// <exception cref="ScriptException">A key is unknown, doubled, or its value is malformed.</exception>
    public static FloatHistogram Parse(string literal, int line, out bool hintGiven)
    {
        var histogram = new FloatHistogram();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var offset = 0;
        var negativeOffset = 0;
        var rest = literal[2..^2].Trim();
        while (rest.Length > 0)
        {
            var colon = rest.IndexOf(':');
            var key = colon < 0 ? rest : rest[..colon];
            var from = colon + 1;
            var isList = from < rest.Length && rest[from] == '[';
            var end = isList ? rest.IndexOf(']') + 1 : rest.IndexOf(' ', from);
            end = end <= 0 ? rest.Length : end;
            if (colon < 0 || !seen.Add(key))
            {
                throw new ScriptException(line, $"bad or doubled key {key} in {literal}");
            }

            var value = rest[from..end].Trim();
            rest = rest[end..].TrimStart();
            switch (key)
            {
                case "schema": histogram.Schema = (int)Number(value, line); break;
                case "count": histogram.Count = Number(value, line); break;
                case "sum": histogram.Sum = Number(value, line); break;
                case "z_bucket": histogram.ZeroCount = Number(value, line); break;
                case "z_bucket_w": histogram.ZeroThreshold = Number(value, line); break;
                case "buckets": histogram.PositiveBuckets = Numbers(value, line); break;
                case "n_buckets": histogram.NegativeBuckets = Numbers(value, line); break;
                case "offset": offset = (int)Number(value, line); break;
                case "n_offset": negativeOffset = (int)Number(value, line); break;
                case "custom_values": histogram.CustomValues = Numbers(value, line); break;
                case "counter_reset_hint": histogram.CounterResetHint = Hint(value, line); break;
                default: throw new ScriptException(line, $"unknown key {key} in {literal}");
            }
        }

        hintGiven = seen.Contains("counter_reset_hint");
        histogram.PositiveSpans = SpanOf(offset, histogram.PositiveBuckets.Length);
        histogram.NegativeSpans = SpanOf(negativeOffset, histogram.NegativeBuckets.Length);
        return histogram;
    }

    private static HistogramSpan[] SpanOf(int offset, int length) => length == 0 ? [] : [new HistogramSpan(offset, (uint)length)];

    private static CounterResetHint Hint(string text, int line) => text switch
    {
        "unknown" => CounterResetHint.Unknown,
        "reset" => CounterResetHint.Reset,
        "not_reset" => CounterResetHint.NotReset,
        "gauge" => CounterResetHint.Gauge,
        _ => throw new ScriptException(line, $"unknown counter reset hint {text}"),
    };

    private static double[] Numbers(string list, int line) =>
        [.. list.Trim('[', ']').Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(n => Number(n, line))];

    private static double Number(string text, int line) =>
        GoNumber.TryParseFloat(text, out var value, out _) ? value : throw new ScriptException(line, $"bad number {text}");
}
