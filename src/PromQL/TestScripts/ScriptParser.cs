using System.Text;
using System.Text.RegularExpressions;
using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.TestScripts;

/// <summary>Reads test scripts in Prometheus's <c>.test</c> language (promql/promqltest) into commands.</summary>
public sealed partial class ScriptParser
{
    private readonly string[] lines;
    private int next;

    private ScriptParser(string text) => lines = text.Split('\n');

    /// <summary>Reads a whole script.</summary>
    /// <exception cref="ScriptException">A line is not in the language.</exception>
    public static IReadOnlyList<ScriptCommand> Parse(string text)
    {
        var parser = new ScriptParser(text);
        var commands = new List<ScriptCommand>();
        while (parser.next < parser.lines.Length)
        {
            var line = parser.TakeLine();
            if (line.Length > 0)
            {
                commands.Add(parser.ReadCommand(line));
            }
        }

        return commands;
    }

    private int Number => next;

    /// <summary>The next line, trimmed; a comment counts as empty.</summary>
    private string TakeLine()
    {
        var line = lines[next++].Trim();
        return line.StartsWith('#') ? "" : line;
    }

    private ScriptCommand ReadCommand(string line)
    {
        var word = line.Split((char[]?)null, 2)[0].ToLowerInvariant();
        if (word == "clear")
        {
            return new ClearCommand(Number);
        }

        if (word.StartsWith("load", StringComparison.Ordinal))
        {
            return ReadLoad(line);
        }

        return word.StartsWith("eval", StringComparison.Ordinal) ? ReadEval(line) : throw new ScriptException(Number, $"unknown command: {line}");
    }

    private LoadCommand ReadLoad(string line)
    {
        var number = Number;
        var match = Load().Match(line);
        if (!match.Success)
        {
            throw new ScriptException(number, $"bad load: {line}");
        }

        var stepMs = Duration(match.Groups["step"].Value);
        var series = new Dictionary<Labels, ScriptSeries>();
        (Labels Labels, List<long?> Offsets)? starts = null;
        while (next < lines.Length && TakeLine() is { Length: > 0 } text)
        {
            var reader = new SeriesLine(text, Number);
            var labels = reader.ReadLabels();
            if (reader.IsStartTimes)
            {
                starts = (labels, reader.ReadStartOffsets());
                continue;
            }

            var values = reader.ReadValues();
            if (starts is { } given && (!given.Labels.Equals(labels) || given.Offsets.Count != values.Count))
            {
                throw new ScriptException(Number, $"start timestamps of {given.Labels} with {given.Offsets.Count} items do not fit {labels} with {values.Count}");
            }

            series[labels] = new ScriptSeries(Number, labels, values) { StartOffsets = starts?.Offsets };
            starts = null;
        }

        return new LoadCommand(number, stepMs, match.Groups["nhcb"].Success, [.. series.Values]);
    }

    private EvalCommand ReadEval(string line)
    {
        var match = EvalInstant().Match(line);
        EvalCommand eval;
        if (match.Success)
        {
            eval = new EvalCommand(Number, match.Groups["query"].Value, false, TimeGrid.Instant(Duration(match.Groups["at"].Value)));
        }
        else
        {
            match = EvalRange().Match(line);
            eval = match.Success
                ? new EvalCommand(Number, match.Groups["query"].Value, true, Grid(match))
                : throw new ScriptException(Number, $"bad eval: {line}");
        }

        eval = match.Groups["mode"].Value switch
        {
            "_fail" => eval with { Fails = true },
            "_ordered" => eval with { Ordered = true },
            "_warn" => eval with { Expectations = [new Expectation(ExpectedMessage.Warn, null, false)] },
            "_info" => eval with { Expectations = [new Expectation(ExpectedMessage.Info, null, false)] },
            _ => eval,
        };
        return ReadExpected(eval);
    }

    private EvalCommand ReadExpected(EvalCommand eval)
    {
        var series = new List<ScriptSeries>();
        while (next < lines.Length && TakeLine() is { Length: > 0 } line)
        {
            if (eval.Fails && ExpectedFail().Match(line) is { Success: true } legacy)
            {
                var isRegex = legacy.Groups["how"].Value == "regexp";
                eval = eval with { Expectations = [.. eval.Expectations, new Expectation(ExpectedMessage.Fail, legacy.Groups["text"].Value, isRegex)] };
                break;
            }

            if (line.StartsWith("expect ", StringComparison.Ordinal))
            {
                eval = ReadExpect(eval, line["expect ".Length..].Trim());
            }
            else if (TryNumber(line, out var scalar))
            {
                eval = eval with { Scalar = scalar };
                break;
            }
            else
            {
                var reader = new SeriesLine(line, Number);
                series.Add(new ScriptSeries(Number, reader.ReadLabels(), reader.ReadValues()));
            }
        }

        return eval with { Series = series };
    }

    private EvalCommand ReadExpect(EvalCommand eval, string text)
    {
        if (text == "ordered")
        {
            return eval with { Ordered = true };
        }

        if (text.StartsWith("string ", StringComparison.Ordinal))
        {
            return eval with { Text = GoText.Unquote(Encoding.UTF8.GetBytes(text["string ".Length..].Trim())) };
        }

        if (RangeVector().Match(text) is { Success: true } range)
        {
            return eval with { RangeVector = Grid(range) };
        }

        var match = Expect().Match(text);
        if (!match.Success)
        {
            throw new ScriptException(Number, $"bad expect: {text}");
        }

        var kind = match.Groups["kind"].Value switch
        {
            "fail" => ExpectedMessage.Fail,
            "warn" => ExpectedMessage.Warn,
            "info" => ExpectedMessage.Info,
            "no_warn" => ExpectedMessage.NoWarn,
            _ => ExpectedMessage.NoInfo,
        };
        var expected = match.Groups["how"].Success ? match.Groups["text"].Value.Trim() : null;
        return eval with
        {
            Fails = eval.Fails || kind == ExpectedMessage.Fail,
            Expectations = [.. eval.Expectations, new Expectation(kind, expected, match.Groups["how"].Value == "regex")],
        };
    }

    private TimeGrid Grid(Match match)
    {
        var grid = new TimeGrid(Duration(match.Groups["from"].Value), Duration(match.Groups["to"].Value), Duration(match.Groups["step"].Value));
        return grid.StepMs > 0 && grid.EndMs >= grid.StartMs && grid.Count <= 100_000
            ? grid
            : throw new ScriptException(Number, $"bad range: {match.Value}");
    }

    private long Duration(string text) =>
        PromDuration.TryParse(text, out var ms, out var error) ? ms : throw new ScriptException(Number, error);

    private static bool TryNumber(string text, out double value)
    {
        value = 0;
        var unsigned = text.TrimStart('+', '-');
        if (text.Length - unsigned.Length > 1 || !GoNumber.TryParse(unsigned, out value, out _))
        {
            return false;
        }

        value = text.StartsWith('-') ? -value : value;
        return true;
    }

    [GeneratedRegex("^load(?<nhcb>_with_nhcb)?\\s+(?<step>\\S+)$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Load();

    [GeneratedRegex("^eval(?<mode>_fail|_warn|_info|_ordered)?\\s+instant\\s+(?:at\\s+(?<at>\\S+))\\s+(?<query>.+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex EvalInstant();

    [GeneratedRegex("^eval(?<mode>_fail|_warn|_info|_ordered)?\\s+range\\s+from\\s+(?<from>\\S+)\\s+to\\s+(?<to>\\S+)\\s+step\\s+(?<step>\\S+)\\s+(?<query>.+)$",
        RegexOptions.ExplicitCapture)]
    private static partial Regex EvalRange();

    [GeneratedRegex("^range\\s+vector\\s+from\\s+(?<from>\\S+)\\s+to\\s+(?<to>\\S+)\\s+step\\s+(?<step>\\S+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex RangeVector();

    [GeneratedRegex("^(?<kind>fail|warn|info|no_warn|no_info)(?:\\s+(?<how>msg|regex):(?<text>.*))?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Expect();

    [GeneratedRegex("^expected_fail_(?<how>message|regexp)\\s+(?<text>.+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex ExpectedFail();
}
