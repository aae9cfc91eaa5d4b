using System.Text;
using System.Text.RegularExpressions;
using Metrics.Model;
using Metrics.PromQL.Parsing;

namespace Metrics.PromQL.TestScripts;

/// <summary>Reads series lines: <c>metric{labels} items</c>, and <c>metric{labels}@st offsets</c>.</summary>
internal sealed partial class SeriesLine(string line, int number)
{
    private const int MaxItems = 1_000_000;

    private int at;

    /// <summary>True when the line gives start timestamps to the next one.</summary>
    public bool IsStartTimes { get; private set; }

    /// <summary>The labels at the head of the line.</summary>
    public Labels ReadLabels()
    {
        var labels = new LabelsBuilder();
        var start = at;
        while (at < line.Length && (char.IsAsciiLetterOrDigit(line[at]) || line[at] is '_' or ':'))
        {
            at++;
        }

        if (at > start)
        {
            labels.Set(Labels.MetricName, line[start..at]);
        }

        if (at < line.Length && line[at] == '{' && !line.AsSpan(at).StartsWith("{{"))
        {
            at++;
            ReadBraces(labels);
        }

        if (line.AsSpan(at).StartsWith("@st"))
        {
            at += 3;
            IsStartTimes = true;
        }

        return at == line.Length || char.IsWhiteSpace(line[at]) ? labels.ToLabels() : throw Wrong("unexpected text after the labels");
    }

    /// <summary>The items that follow, expanded.</summary>
    public List<ScriptValue> ReadValues()
    {
        var values = new List<ScriptValue>();
        foreach (var item in Items())
        {
            if (item.StartsWith("{{", StringComparison.Ordinal))
            {
                ReadHistograms(item, values);
            }
            else
            {
                ReadFloats(item, values);
            }
        }

        return values;
    }

    /// <summary>The start offsets that follow, expanded.</summary>
    public List<long?> ReadStartOffsets()
    {
        var offsets = new List<long?>();
        foreach (var item in Items())
        {
            var match = StartItem().Match(item);
            if (!match.Success)
            {
                throw Wrong($"bad start timestamps {item}");
            }

            var times = match.Groups["n"].Success ? Count(match.Groups["n"].Value, offsets.Count) : -1;
            if (match.Groups["gap"].Success)
            {
                offsets.AddRange(Enumerable.Repeat<long?>(null, times < 0 ? 1 : times));
                continue;
            }

            var offset = Offset(match.Groups["a"].Value);
            var change = match.Groups["b"].Success ? Offset(match.Groups["b"].Value) : 0;
            for (var i = 0; i <= Math.Max(times, 0); i++)
            {
                offsets.Add(offset);
                offset += change;
            }
        }

        return offsets;
    }

    private long Offset(string text)
    {
        var sign = text[0] == '-' ? -1 : 1;
        return PromDuration.TryParse(text.TrimStart('+', '-'), out var ms, out var error) ? sign * ms : throw Wrong(error);
    }

    private void ReadBraces(LabelsBuilder labels)
    {
        while (true)
        {
            SkipBlanks();
            if (at < line.Length && line[at] == '}')
            {
                at++;
                return;
            }

            var quoted = at < line.Length && line[at] is '"' or '\'' or '`';
            var name = quoted ? ReadString() : ReadWord();
            SkipBlanks();
            if (at < line.Length && line[at] == '=')
            {
                at++;
                SkipBlanks();
                labels.Set(name, ReadString());
            }
            else if (quoted)
            {
                labels.Set(Labels.MetricName, name);
            }
            else
            {
                throw Wrong("expected = after a label's name");
            }

            SkipBlanks();
            if (at < line.Length && line[at] == ',')
            {
                at++;
            }
            else if (at >= line.Length || line[at] != '}')
            {
                throw Wrong("expected , or } after a label");
            }
        }
    }

    private void SkipBlanks()
    {
        while (at < line.Length && char.IsWhiteSpace(line[at]))
        {
            at++;
        }
    }

    private string ReadWord()
    {
        var start = at;
        while (at < line.Length && (char.IsAsciiLetterOrDigit(line[at]) || line[at] == '_'))
        {
            at++;
        }

        return at > start ? line[start..at] : throw Wrong("expected a label's name");
    }

    private string ReadString()
    {
        var start = at;
        if (at >= line.Length || line[at] is not ('"' or '\'' or '`'))
        {
            throw Wrong("expected a quoted string");
        }

        var quote = line[at++];
        while (at < line.Length && line[at] != quote)
        {
            at += line[at] == '\\' && quote != '`' ? 2 : 1;
        }

        return ++at <= line.Length ? GoText.Unquote(Encoding.UTF8.GetBytes(line[start..at])) : throw Wrong("string without end");
    }

    /// <summary>Cuts at blanks that are not inside a histogram.</summary>
    private IEnumerable<string> Items()
    {
        while (true)
        {
            SkipBlanks();
            if (at >= line.Length)
            {
                yield break;
            }

            var start = at;
            while (at < line.Length && !char.IsWhiteSpace(line[at]))
            {
                if (line.AsSpan(at).StartsWith("{{"))
                {
                    var end = line.IndexOf("}}", at, StringComparison.Ordinal);
                    at = end < 0 ? throw Wrong("histogram without end") : end + 1;
                }

                at++;
            }

            yield return line[start..at];
        }
    }

    private void ReadFloats(string item, List<ScriptValue> values)
    {
        var match = FloatItem().Match(item);
        if (!match.Success)
        {
            throw Wrong($"bad item {item}");
        }

        var times = match.Groups["n"].Success ? Count(match.Groups["n"].Value, values.Count) : -1;
        var first = match.Groups["a"].Value;
        if (first == "_")
        {
            values.AddRange(Enumerable.Repeat(ScriptValue.Gap, times < 0 ? 1 : times));
            return;
        }

        var value = first == "stale" ? StaleMarker.Value : Number(first);
        var change = match.Groups["b"].Success ? Number(match.Groups["b"].Value) : 0;
        for (var i = 0; i <= Math.Max(times, 0); i++)
        {
            values.Add(ScriptValue.Float(value));
            if (match.Groups["b"].Success)
            {
                value += change;
            }
        }
    }

    private void ReadHistograms(string item, List<ScriptValue> values)
    {
        var match = HistogramItem().Match(item);
        if (!match.Success)
        {
            throw Wrong($"bad histogram item {item}");
        }

        var histogram = HistogramLiteral.Parse(match.Groups["a"].Value, number, out var hintGiven);
        var times = match.Groups["n"].Success ? Count(match.Groups["n"].Value, values.Count) : 0;
        if (!match.Groups["b"].Success)
        {
            values.AddRange(Enumerable.Repeat(new ScriptValue(true, 0, histogram, hintGiven), times + 1));
            return;
        }

        var change = HistogramLiteral.Parse(match.Groups["b"].Value, number, out hintGiven);
        var sign = match.Groups["op"].Value == "-" ? -1 : 1;
        for (var i = 0; i <= times; i++)
        {
            values.Add(new ScriptValue(true, 0, histogram, hintGiven));
            if (i < times)
            {
                histogram = BucketMap.Combine(histogram, change, sign, number);
            }
        }
    }

    private double Number(string text) =>
        GoNumber.TryParseFloat(text, out var value, out _) ? value : throw Wrong($"bad number {text}");

    private int Count(string text, int already) => int.TryParse(text, out var count) && count <= MaxItems - already
        ? count
        : throw Wrong($"too many items: {text}, limit {MaxItems}");

    private ScriptException Wrong(string message) => new(number, $"{message}: {line}");

    [GeneratedRegex("^(?<a>_|stale|[+-]?(?:inf|nan|(?:[0-9][0-9_]*\\.?[0-9]*|\\.[0-9]+)(?:e[+-]?[0-9]+)?))(?<b>[+-](?:inf|nan|(?:[0-9][0-9_]*\\.?[0-9]*|\\.[0-9]+)(?:e[+-]?[0-9]+)?))?(?:x(?<n>[0-9]+))?$",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex FloatItem();

    [GeneratedRegex("^(?<a>\\{\\{[^}]*\\}\\})(?:(?<op>[+-])(?<b>\\{\\{[^}]*\\}\\}))?(?:x(?<n>[0-9]+))?$", RegexOptions.ExplicitCapture)]
    private static partial Regex HistogramItem();

    [GeneratedRegex("^(?:(?<gap>_)|(?<a>[+-]?(?:0|[0-9]+(?:ms|[smhdwy])))(?<b>[+-][0-9]+(?:ms|[smhdwy]))?)(?:x(?<n>[0-9]+))?$", RegexOptions.ExplicitCapture)]
    private static partial Regex StartItem();
}
