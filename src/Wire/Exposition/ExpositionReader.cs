using System.Buffers.Text;

namespace Metrics.Wire;

/// <summary>What a line of the text format is.</summary>
public enum ExpositionPart
{
    /// <summary>There are no more lines.</summary>
    End,

    /// <summary>A sample.</summary>
    Sample,

    /// <summary>The type of a family.</summary>
    Type,

    /// <summary>The help of a family.</summary>
    Help,

    /// <summary>The unit of a family.</summary>
    Unit,
}

/// <summary>Walks samples and metadata in Prometheus's text format 0.0.4, or OpenMetrics's, in place.</summary>
/// <remarks>
/// <code>
/// # TYPE requests counter
/// requests_total{path="/a b",code="200"} 17 1700000000000
/// {"with.dots","la.bel"="value"} 1
/// </code>
/// Times are milliseconds; with <paramref name="isOpenMetrics"/> seconds, and what stands behind <c> # </c> on a line of a sample is an exemplar and skipped. Empty lines and other comments are skipped. A line that is wrong is given as a sample
/// with <see cref="Error"/>, and the next one is read as usual. Format: prometheus.io/docs/instrumenting/exposition_formats; quoted names: UTF-8 in the same.
/// </remarks>
/// <param name="body">The text.</param>
/// <param name="isOpenMetrics">Whether it is OpenMetrics.</param>
public ref struct ExpositionReader(ReadOnlySpan<byte> body, bool isOpenMetrics)
{
    private readonly ReadOnlySpan<byte> body = body;
    private readonly bool isOpenMetrics = isOpenMetrics;
    private int position;

    /// <summary>The number of the line at the cursor, from 1.</summary>
    public int Line { get; private set; }

    /// <summary>What is wrong with the line; null when nothing is.</summary>
    public string? Error { get; private set; }

    /// <summary>The name of the metric before the braces, or of the family; empty when it stands in quotes among the labels.</summary>
    public ReadOnlySpan<byte> Name { get; private set; }

    /// <summary>The labels of a sample.</summary>
    public ExpositionLabels Labels { get; private set; }

    /// <summary>The value of a sample.</summary>
    public double Value { get; private set; }

    /// <summary>The time of a sample, Unix milliseconds; null when it has none.</summary>
    public long? TimeMs { get; private set; }

    /// <summary>The type, help or unit of a family, as it stands there.</summary>
    public ReadOnlySpan<byte> Text { get; private set; }

    /// <summary>Steps to the next sample, mistake or word on a family.</summary>
    public ExpositionPart Read()
    {
        while (position < body.Length)
        {
            Line++;
            var rest = body[position..];
            var end = rest.IndexOf((byte)'\n');
            var line = (end < 0 ? rest : rest[..end]).Trim(" \t\r"u8);
            position += end < 0 ? rest.Length : end + 1;
            Error = null;
            if (line.IsEmpty)
            {
                continue;
            }

            if (line[0] != '#')
            {
                Error = Sample(line);
                return ExpositionPart.Sample;
            }

            var part = Comment(line[1..]);
            if (part != ExpositionPart.End)
            {
                return part;
            }
        }

        return ExpositionPart.End;
    }

    private ExpositionPart Comment(ReadOnlySpan<byte> line)
    {
        var what = Word(ref line);
        var part = what.SequenceEqual("TYPE"u8) ? ExpositionPart.Type : what.SequenceEqual("HELP"u8) ? ExpositionPart.Help : what.SequenceEqual("UNIT"u8) ? ExpositionPart.Unit : ExpositionPart.End;
        Name = Word(ref line);
        Text = line.Trim(" \t"u8);
        return Name.IsEmpty ? ExpositionPart.End : part;
    }

    private string? Sample(ReadOnlySpan<byte> line)
    {
        var brace = line.IndexOfAny("{ \t"u8);
        Name = brace < 0 ? line : line[..brace];
        line = line[Name.Length..].TrimStart(" \t"u8);
        Labels = default;
        if (line.StartsWith("{"u8))
        {
            var end = EndOfLabels(line);
            if (end < 0)
            {
                return "labels without an end";
            }

            Labels = new ExpositionLabels(line[1..end]);
            line = line[(end + 1)..];
        }
        else if (Name.IsEmpty)
        {
            return "no name";
        }

        var exemplar = isOpenMetrics ? line.IndexOf(" # "u8) : -1;
        line = exemplar < 0 ? line : line[..exemplar];

        var value = Word(ref line);
        if (!TryValue(value, out var number))
        {
            return value.IsEmpty ? "no value" : "a value that is no number";
        }

        Value = number;
        TimeMs = null;
        var time = Word(ref line);
        if (!time.IsEmpty)
        {
            if (!TryTime(time, out var timeMs))
            {
                return "a timestamp that is none";
            }

            TimeMs = timeMs;
        }

        return line.IsEmpty ? null : "more than a name, a value and a timestamp";
    }

    /// <summary>Where the brace lies that closes labels, outside of quotes; negative when there is none.</summary>
    private static int EndOfLabels(ReadOnlySpan<byte> line)
    {
        var isQuoted = false;
        for (var at = 1; at < line.Length; at++)
        {
            switch (line[at])
            {
                case (byte)'\\' when isQuoted:
                    at++;
                    break;
                case (byte)'"':
                    isQuoted = !isQuoted;
                    break;
                case (byte)'}' when !isQuoted:
                    return at;
            }
        }

        return -1;
    }

    private static ReadOnlySpan<byte> Word(scoped ref ReadOnlySpan<byte> line)
    {
        line = line.TrimStart(" \t"u8);
        var end = line.IndexOfAny(" \t"u8);
        var word = end < 0 ? line : line[..end];
        line = line[word.Length..].TrimStart(" \t"u8);
        return word;
    }

    private static bool TryValue(ReadOnlySpan<byte> text, out double value)
    {
        if (Utf8Parser.TryParse(text, out value, out var read) && read == text.Length)
        {
            return true;
        }

        var unsigned = text.StartsWith("+"u8) || text.StartsWith("-"u8) ? text[1..] : text;
        value = System.Text.Ascii.EqualsIgnoreCase(unsigned, "inf"u8) || System.Text.Ascii.EqualsIgnoreCase(unsigned, "infinity"u8) ? (text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity) : double.NaN;
        return double.IsInfinity(value) || System.Text.Ascii.EqualsIgnoreCase(text, "nan"u8);
    }

    private readonly bool TryTime(ReadOnlySpan<byte> text, out long timeMs)
    {
        if (!isOpenMetrics)
        {
            return Utf8Parser.TryParse(text, out timeMs, out var digits) && digits == text.Length;
        }

        var isNumber = Utf8Parser.TryParse(text, out double seconds, out var read) && read == text.Length && Math.Abs(seconds) < 1e15;
        timeMs = isNumber ? (long)Math.Round(seconds * 1000) : 0;
        return isNumber;
    }
}
