using System.Buffers.Text;

namespace Metrics.Wire;

/// <summary>Walks the fields of a line: <c>key=value</c>, separated by commas, up to a space.</summary>
/// <remarks>Values: <c>1</c>, <c>1.5e3</c>; <c>1i</c>, <c>1u</c>; <c>t</c>, <c>true</c>, <c>f</c>, <c>false</c> and their capitals; <c>"text"</c>, which no series can hold.</remarks>
public ref struct InfluxFieldEnumerator
{
    private bool isLast;

    internal InfluxFieldEnumerator(ReadOnlySpan<byte> fields)
    {
        Rest = fields;
    }

    /// <summary>The key, with its escapes.</summary>
    public ReadOnlySpan<byte> Key { get; private set; }

    /// <summary>The value; true is 1 and false 0.</summary>
    public double Value { get; private set; }

    /// <summary>True when the value is text, and <see cref="Value"/> without meaning.</summary>
    public bool IsText { get; private set; }

    /// <summary>What follows the fields read so far.</summary>
    internal ReadOnlySpan<byte> Rest { get; private set; }

    /// <summary>What is wrong with the fields, when the walk has ended early.</summary>
    internal string? Error { get; private set; }

    /// <summary>Steps to the next field; false at the end.</summary>
    public bool MoveNext()
    {
        if (isLast)
        {
            return false;
        }

        var equals = InfluxText.EndOf(Rest, (byte)'=');
        if (equals == 0 || equals == Rest.Length || InfluxText.EndOf(Rest[..equals], (byte)' ') < equals)
        {
            return Fail(equals == 0 ? "missing field key" : "missing field value");
        }

        Key = Rest[..equals];
        Rest = Rest[(equals + 1)..];
        if (!ReadValue())
        {
            return false;
        }

        isLast = Rest.IsEmpty || Rest[0] == ' ';
        if (!isLast && Rest[0] != ',')
        {
            return Fail("a field is followed by neither comma nor space");
        }

        Rest = isLast ? Rest : Rest[1..];
        return true;
    }

    private bool ReadValue()
    {
        IsText = Rest.StartsWith("\""u8);
        if (IsText)
        {
            var end = EndOfText(Rest);
            Rest = Rest[end..];
            return end > 0 || Fail("unbalanced quotes");
        }

        var length = Rest.IndexOfAny((byte)',', (byte)' ');
        var text = length < 0 ? Rest : Rest[..length];
        Rest = Rest[text.Length..];
        if (text.IsEmpty)
        {
            return Fail("missing field value");
        }

        var isRead = char.IsAsciiDigit((char)text[^1]) || text[^1] == '.' ? TryReadFloat(text) : TryReadOther(text);
        return isRead || Fail("invalid number or boolean");
    }

    private bool TryReadFloat(ReadOnlySpan<byte> text)
    {
        var isRead = Utf8Parser.TryParse(text, out double value, out var read) && read == text.Length && double.IsFinite(value);
        Value = value;
        return isRead;
    }

    private bool TryReadOther(ReadOnlySpan<byte> text)
    {
        int read;
        switch (text[^1])
        {
            case (byte)'i':
                var isInteger = Utf8Parser.TryParse(text, out long integer, out read) && read == text.Length - 1;
                Value = integer;
                return isInteger;
            case (byte)'u':
                var isUnsigned = Utf8Parser.TryParse(text, out ulong unsigned, out read) && read == text.Length - 1;
                Value = unsigned;
                return isUnsigned;
        }

        var isTrue = text.SequenceEqual("t"u8) || text.SequenceEqual("T"u8) || text.SequenceEqual("true"u8) || text.SequenceEqual("True"u8) || text.SequenceEqual("TRUE"u8);
        Value = isTrue ? 1 : 0;
        return isTrue || text.SequenceEqual("f"u8) || text.SequenceEqual("F"u8) || text.SequenceEqual("false"u8) || text.SequenceEqual("False"u8) || text.SequenceEqual("FALSE"u8);
    }

    /// <summary>Behind the closing quote, or 0 when there is none.</summary>
    private static int EndOfText(ReadOnlySpan<byte> text)
    {
        for (var at = 1; at < text.Length; at++)
        {
            if (text[at] == '\\')
            {
                at++;
            }
            else if (text[at] == '"')
            {
                return at + 1;
            }
        }

        return 0;
    }

    private bool Fail(string error)
    {
        Error = error;
        isLast = true;
        return false;
    }
}
