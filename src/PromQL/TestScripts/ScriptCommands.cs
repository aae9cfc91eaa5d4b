using Metrics.Model;

namespace Metrics.PromQL.TestScripts;

/// <summary>A command of a test script; <paramref name="Line"/> counts from 1.</summary>
public abstract record ScriptCommand(int Line);

/// <summary>Throws all data away.</summary>
public sealed record ClearCommand(int Line) : ScriptCommand(Line);

/// <summary>Adds series; item i of each stands at i x <paramref name="StepMs"/>.</summary>
/// <param name="Line">Where it stands.</param>
/// <param name="StepMs">The distance of the items.</param>
/// <param name="WithCustomBuckets">True when classic histograms are also stored as native ones with custom buckets.</param>
/// <param name="Series">The series, each label set once.</param>
public sealed record LoadCommand(int Line, long StepMs, bool WithCustomBuckets, IReadOnlyList<ScriptSeries> Series) : ScriptCommand(Line);

/// <summary>A query and what must come of it.</summary>
public sealed record EvalCommand(int Line, string Query, bool IsRange, TimeGrid Grid) : ScriptCommand(Line)
{
    /// <summary>True when the series must come in the order of <see cref="Series"/>.</summary>
    public bool Ordered { get; init; }

    /// <summary>True when evaluation must fail.</summary>
    public bool Fails { get; init; }

    /// <summary>What is said of the error, warnings and infos.</summary>
    public IReadOnlyList<Expectation> Expectations { get; init; } = [];

    /// <summary>The expected series; empty means an empty answer.</summary>
    public IReadOnlyList<ScriptSeries> Series { get; init; } = [];

    /// <summary>The expected scalar, or null.</summary>
    public double? Scalar { get; init; }

    /// <summary>The expected string, or null.</summary>
    public string? Text { get; init; }

    /// <summary>The times of the expected matrix of an instant query, or null.</summary>
    public TimeGrid? RangeVector { get; init; }
}

/// <summary>What a message may be expected of.</summary>
public enum ExpectedMessage
{
    /// <summary>The error.</summary>
    Fail,

    /// <summary>Some warning.</summary>
    Warn,

    /// <summary>Some info.</summary>
    Info,

    /// <summary>No warning at all.</summary>
    NoWarn,

    /// <summary>No info at all.</summary>
    NoInfo,
}

/// <summary>One <c>expect</c> line about messages: any text, exactly <paramref name="Text"/>, or one that matches it.</summary>
public sealed record Expectation(ExpectedMessage Kind, string? Text, bool IsRegex)
{
    /// <summary>True when a message is as expected.</summary>
    public bool Meets(string message) => Text is null
        || (IsRegex
            ? System.Text.RegularExpressions.Regex.IsMatch(message, Text, System.Text.RegularExpressions.RegexOptions.NonBacktracking)
            : message == Text);
}

/// <summary>A series line: labels, and items with gaps.</summary>
public sealed record ScriptSeries(int Line, Labels Labels, IReadOnlyList<ScriptValue> Values)
{
    /// <summary>Start timestamps as offsets from the time of the item, null where none is given; or null for the whole series.</summary>
    public IReadOnlyList<long?>? StartOffsets { get; init; }
}

/// <summary>One item: nothing, a float, or a histogram; <paramref name="HintGiven"/> when its counter reset hint counts in comparisons.</summary>
public readonly record struct ScriptValue(bool IsPresent, double Value, FloatHistogram? Histogram, bool HintGiven)
{
    /// <summary>A gap.</summary>
    public static ScriptValue Gap => default;

    /// <summary>A float.</summary>
    public static ScriptValue Float(double value) => new(true, value, null, false);
}

/// <summary>A script that can't be read or loaded; the message tells the line.</summary>
public sealed class ScriptException(int line, string message) : Exception($"line {line}: {message}")
{
    /// <summary>The line, from 1.</summary>
    public int Line { get; } = line;
}
