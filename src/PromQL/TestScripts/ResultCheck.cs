using Metrics.Model;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL.TestScripts;

/// <summary>Compares an answer with what a case expects; null means as expected, else the text says got and want.</summary>
internal sealed class ResultCheck
{
    private readonly EvalCommand eval;
    private readonly TimeGrid? grid;
    private readonly long? pointMs;

    private ResultCheck(EvalCommand eval, TimeGrid? grid, long? pointMs)
    {
        this.eval = eval;
        this.grid = grid;
        this.pointMs = pointMs;
    }

    /// <summary>The answer of an instant query, annotations too.</summary>
    public static ResultCheck Instant(EvalCommand eval) => new(eval, eval.RangeVector, null);

    /// <summary>The answer of a range query, annotations too.</summary>
    public static ResultCheck Range(EvalCommand eval, TimeGrid grid) => new(eval, grid, null);

    /// <summary>One time of a range query that repeats an instant case.</summary>
    public static ResultCheck PointOfRange(EvalCommand eval, long timeMs) => new(eval, null, timeMs);

    public string? Check(QueryResult result)
    {
        if (pointMs is { } timeMs)
        {
            return eval.Ordered ? null : CheckSorted(result) ?? CheckPoint(result, timeMs);
        }

        return CheckMessages(ExpectedMessage.Warn, ExpectedMessage.NoWarn, result.Warnings)
            ?? CheckMessages(ExpectedMessage.Info, ExpectedMessage.NoInfo, result.Infos)
            ?? CheckValue(result);
    }

    private string? CheckMessages(ExpectedMessage some, ExpectedMessage none, IReadOnlyList<string> got)
    {
        var wanted = eval.Expectations.Where(e => e.Kind == some).ToList();
        var shown = got.Count == 0 ? "none" : string.Join("; ", got);
        if (eval.Expectations.Any(e => e.Kind == none) && got.Count > 0)
        {
            return $"got {some}: {shown}, want none";
        }

        foreach (var want in wanted)
        {
            if (!got.Any(want.Meets))
            {
                return $"got {some}: {shown}, want {want.Text ?? "any"}";
            }
        }

        return wanted.Count > 0 && got.FirstOrDefault(g => !wanted.Exists(w => w.Meets(g))) is { } extra ? $"got {some}: {extra}, which nothing expects" : null;
    }

    private string? CheckValue(QueryResult result)
    {
        if (eval.Text is { } text)
        {
            return result.Type == ValueType.String && result.Text == text ? null : $"got {result.Type} {result.Text}, want string {text}";
        }

        if (grid is { } times)
        {
            if (result.Type != ValueType.Matrix)
            {
                return $"got a {result.Type}, want a matrix";
            }

            return (eval.IsRange ? CheckSorted(result) : null) ?? CheckMatrix(result, times);
        }

        if (result.Type == ValueType.Scalar || eval.Scalar is not null)
        {
            if (result.Type != ValueType.Scalar || eval.Scalar is not { } want)
            {
                return $"got a {result.Type}, want {(eval.Scalar is null ? "a vector" : "a scalar")}";
            }

            var got = result.Series[0].Points.Values[0];
            return Comparison.AreClose(want, got) ? null : $"got {Comparison.Show(got, null)}, want {Comparison.Show(want, null)}";
        }

        return result.Type == ValueType.Vector ? CheckVector(result, 0) : $"got a {result.Type}, want a vector";
    }

    private string? CheckPoint(QueryResult result, long timeMs)
    {
        if (eval.Scalar is not { } want)
        {
            return CheckVector(result, timeMs);
        }

        if (result.Series.Count != 1 || result.Series[0].Points.Times.IndexOf(timeMs) is not (>= 0 and var index))
        {
            return $"got {result.Series.Count} series, want one with the scalar at {timeMs}";
        }

        var got = result.Series[0].Points.Values[index];
        return Comparison.AreClose(want, got) ? null : $"got {Comparison.Show(got, null)}, want {Comparison.Show(want, null)}";
    }

    /// <summary>Compares a vector, or the points of a matrix at one time, by labels.</summary>
    private string? CheckVector(QueryResult result, long timeMs)
    {
        var expected = eval.Series.ToDictionary(s => s.Labels);
        var position = 0;
        foreach (var series in result.Series)
        {
            var index = pointMs is null ? 0 : series.Points.Times.IndexOf(timeMs);
            if (index < 0)
            {
                continue;
            }

            if (!expected.Remove(series.Labels, out var want))
            {
                return $"got unexpected {series.Labels} {Show(series.Points, index)}";
            }

            if (want.Values.Count != 1 || !want.Values[0].IsPresent)
            {
                return $"line {want.Line}: an instant result has one value";
            }

            if (eval.Ordered && !eval.Series[position].Labels.Equals(series.Labels))
            {
                return $"got {series.Labels} at position {position + 1}, want {eval.Series[position].Labels}";
            }

            if (!Comparison.AreClose(want.Values[0], series.Points, index))
            {
                return $"{series.Labels}: got {Show(series.Points, index)}, want {Comparison.Show(want.Values[0].Value, want.Values[0].Histogram)}";
            }

            position++;
        }

        return expected.Count == 0 ? null : $"got no {expected.Values.First().Labels}";
    }

    private string? CheckMatrix(QueryResult result, TimeGrid times)
    {
        var expected = eval.Series.ToDictionary(s => s.Labels);
        foreach (var series in result.Series)
        {
            if (!expected.Remove(series.Labels, out var want))
            {
                return $"got unexpected {series.Labels} {ShowAll(series.Points)}";
            }

            if (want.Values.Count > times.Count)
            {
                return $"line {want.Line}: {want.Values.Count} items for {times.Count} steps";
            }

            var at = 0;
            for (var i = 0; i < want.Values.Count; i++)
            {
                if (!want.Values[i].IsPresent)
                {
                    continue;
                }

                if (at >= series.Points.Count || series.Points.Times[at] != times.At(i) || !Comparison.AreClose(want.Values[i], series.Points, at))
                {
                    return $"{series.Labels}: got {ShowAll(series.Points)}, want {Comparison.Show(want.Values[i].Value, want.Values[i].Histogram)} @{times.At(i)}";
                }

                at++;
            }

            if (at < series.Points.Count)
            {
                return $"{series.Labels}: got {ShowAll(series.Points)}, of which {series.Points.Count - at} points are too many";
            }
        }

        return expected.Values.FirstOrDefault(s => s.Values.Any(v => v.IsPresent)) is { } missing ? $"got no {missing.Labels}" : null;
    }

    private static string? CheckSorted(QueryResult result)
    {
        for (var i = 1; i < result.Series.Count; i++)
        {
            if (result.Series[i - 1].Labels.CompareTo(result.Series[i].Labels) > 0)
            {
                return $"matrix is not sorted: {result.Series[i - 1].Labels} before {result.Series[i].Labels}";
            }
        }

        return null;
    }

    private static string Show(SampleBuffer points, int index) => Comparison.Show(points.Values[index], points.HasHistograms ? points.Histograms[index] : null);

    private static string ShowAll(SampleBuffer points)
    {
        var shown = new List<string>();
        for (var i = 0; i < points.Count; i++)
        {
            shown.Add($"{Show(points, i)} @{points.Times[i]}");
        }

        return $"[{string.Join(", ", shown)}]";
    }
}
