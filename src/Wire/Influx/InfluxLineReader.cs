namespace Metrics.Wire;

/// <summary>Walks points in InfluxDB's line protocol, in place.</summary>
/// <remarks>
/// <code>
/// measurement[,tag=value...] field=value[,field=value...] [timestamp]
/// </code>
/// One point a line; empty lines and those that start with # are skipped. A backslash takes the meaning from a comma, a space or an equals sign that follows it; text fields stand in quotes, where a backslash
/// does so for quote and backslash, and may hold line feeds. Format: docs.influxdata.com, line protocol. A line that is wrong is given with <see cref="Error"/> and the next one is read as usual, so that one
/// mistake costs one point.
/// <code>
/// while (reader.Read()) { if (reader.Error is null) { ... } }
/// </code>
/// </remarks>
public ref struct InfluxLineReader(ReadOnlySpan<byte> body)
{
    private readonly ReadOnlySpan<byte> body = body;
    private int position;
    private int linesBefore;
    private bool hasOpenQuote;

    /// <summary>The number of the line at the cursor, from 1; of one with line feeds in it the first.</summary>
    public int Line { get; private set; }

    /// <summary>What is wrong with the line; null when nothing is.</summary>
    public string? Error { get; private set; }

    /// <summary>The measurement; see <see cref="InfluxText"/> for its escapes.</summary>
    public ReadOnlySpan<byte> Measurement { get; private set; }

    /// <summary>The tags, in the order sent.</summary>
    public InfluxTagEnumerator Tags { get; private set; }

    /// <summary>The fields, in the order sent.</summary>
    public InfluxFieldEnumerator Fields { get; private set; }

    /// <summary>The time in the unit of the request; null when the line has none.</summary>
    public long? Time { get; private set; }

    /// <summary>Steps to the next point or mistake; false at the end.</summary>
    public bool Read()
    {
        while (position < body.Length)
        {
            Line = ++linesBefore;
            var start = position;
            position = EndOfLine(start);
            var line = body[start..position];
            position++;
            line = line.EndsWith("\r"u8) ? line[..^1] : line;
            line = line.TrimStart((byte)' ');
            if (!line.IsEmpty && line[0] != '#')
            {
                Error = Parse(line);
                return true;
            }
        }

        return false;
    }

    /// <summary>Where the line ends: at a line feed that is not within the quotes of a text field.</summary>
    private int EndOfLine(int start)
    {
        var feed = body[start..].IndexOf((byte)'\n');
        var end = feed < 0 ? body.Length : start + feed;

        var line = body[start..end];
        var indent = line.Length - line.TrimStart((byte)' ').Length;
        var fields = start + indent + InfluxText.EndOf(line[indent..], (byte)' ');

        // Fast path: without a quote among the fields the first line feed is it, and in a comment a quote means nothing.
        if (hasOpenQuote || !body[fields..end].Contains((byte)'"') || line[indent] == '#')
        {
            return end;
        }

        var inQuotes = false;
        for (var at = fields; at < body.Length; at++)
        {
            switch (body[at])
            {
                case (byte)'\\':
                    at++;
                    break;
                case (byte)'"':
                    inQuotes = !inQuotes;
                    break;
                case (byte)'\n' when !inQuotes:
                    return at;
                case (byte)'\n':
                    linesBefore++;
                    break;
            }
        }

        if (!inQuotes)
        {
            return body.Length;
        }

        // A quote that never ends: the mistake is this line's alone. From here on text ends with its line, or the rest would be searched again for every line.
        hasOpenQuote = true;
        linesBefore = Line;
        return end;
    }

    private string? Parse(ReadOnlySpan<byte> line)
    {
        var keyEnd = InfluxText.EndOf(line, (byte)' ');
        var key = line[..keyEnd];
        var measurementEnd = InfluxText.EndOf(key, (byte)',');
        Measurement = key[..measurementEnd];
        Tags = new InfluxTagEnumerator(key[measurementEnd..]);
        if (Measurement.IsEmpty)
        {
            return "missing measurement";
        }

        var tags = Tags;
        while (tags.MoveNext())
        {
        }

        if (tags.Error is { } tagError)
        {
            return tagError;
        }

        var rest = line[keyEnd..].TrimStart((byte)' ');
        if (rest.IsEmpty)
        {
            return "missing fields";
        }

        var fields = new InfluxFieldEnumerator(rest);
        Fields = fields;
        while (fields.MoveNext())
        {
        }

        return fields.Error ?? ReadTime(fields.Rest.Trim((byte)' '));
    }

    private string? ReadTime(ReadOnlySpan<byte> text)
    {
        Time = null;
        if (text.IsEmpty)
        {
            return null;
        }

        if (!System.Buffers.Text.Utf8Parser.TryParse(text, out long time, out var read) || read != text.Length)
        {
            return "bad timestamp";
        }

        Time = time;
        return null;
    }
}

/// <summary>Walks the tags of a line: <c>,key=value</c> again and again.</summary>
public ref struct InfluxTagEnumerator
{
    private ReadOnlySpan<byte> rest;

    internal InfluxTagEnumerator(ReadOnlySpan<byte> tags) => rest = tags;

    /// <summary>The key, with its escapes.</summary>
    public ReadOnlySpan<byte> Key { get; private set; }

    /// <summary>The value, with its escapes.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>What is wrong with the tags, when the walk has ended early.</summary>
    internal string? Error { get; private set; }

    /// <summary>Steps to the next tag; false at the end.</summary>
    public bool MoveNext()
    {
        if (rest.IsEmpty)
        {
            return false;
        }

        rest = rest[1..];
        var end = InfluxText.EndOf(rest, (byte)',');
        var tag = rest[..end];
        rest = rest[end..];
        var equals = InfluxText.EndOf(tag, (byte)'=');
        Key = tag[..equals];
        Value = equals == tag.Length ? default : tag[(equals + 1)..];
        Error = Key.IsEmpty ? "missing tag key" : Value.IsEmpty ? "missing tag value" : InfluxText.EndOf(Value, (byte)'=') < Value.Length ? "unescaped = in a tag value" : null;
        rest = Error is null ? rest : default;
        return Error is null;
    }
}
