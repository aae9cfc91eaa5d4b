using System.Buffers;
using System.Text;

namespace Metrics.Wire;

/// <summary>JSON strings with the escapes that Prometheus's API has.</summary>
/// <remarks>
/// Prometheus encodes with json-iterator in its standard-compatible configuration. Names and values inside of label objects are escaped by quote,
/// backslash and control characters only. All other strings (errors, warnings, label names and values listed by themselves, metadata) have
/// <c>&lt;</c>, <c>&gt;</c>, <c>&amp;</c>, U+2028 and U+2029 escaped as well. Where label text is not UTF-8 Prometheus sends the bytes as they are; here both
/// forms say <c>\ufffd</c>, so that the answer is JSON.
/// </remarks>
public static class JsonText
{
    private static readonly SearchValues<byte> LabelSpecials = SearchValues.Create(Specials(html: false));
    private static readonly SearchValues<byte> HtmlSpecials = SearchValues.Create(Specials(html: true));

    /// <summary>Writes a name or value of a label object, with quotes.</summary>
    public static void WriteLabelText(IBufferWriter<byte> output, ReadOnlySpan<byte> utf8) => Write(output, utf8, LabelSpecials, html: false);

    /// <summary>Writes any other string, with quotes.</summary>
    public static void WriteString(IBufferWriter<byte> output, ReadOnlySpan<byte> utf8) => Write(output, utf8, HtmlSpecials, html: true);

    /// <summary>Writes any other string, with quotes. For cold code.</summary>
    public static void WriteString(IBufferWriter<byte> output, string text) => WriteString(output, Encoding.UTF8.GetBytes(text));

    private static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> text, SearchValues<byte> specials, bool html)
    {
        var at = text.IndexOfAny(specials);
        if (at < 0)
        {
            // Fast path: plain ASCII.
            var span = output.GetSpan(text.Length + 2);
            span[0] = (byte)'"';
            text.CopyTo(span[1..]);
            span[text.Length + 1] = (byte)'"';
            output.Advance(text.Length + 2);
            return;
        }

        output.Write("\""u8);
        while (at >= 0)
        {
            output.Write(text[..at]);
            text = text[(at + WriteSpecial(output, text[at..], html))..];
            at = text.IndexOfAny(specials);
        }

        output.Write(text);
        output.Write("\""u8);
    }

    /// <summary>Writes what begins with a special byte; returns how many bytes of the text that was.</summary>
    private static int WriteSpecial(IBufferWriter<byte> output, ReadOnlySpan<byte> text, bool html)
    {
        var first = text[0];
        if (first < 0x80)
        {
            WriteEscape(output, first);
            return 1;
        }

        var status = Rune.DecodeFromUtf8(text, out var rune, out var consumed);
        if (status != OperationStatus.Done)
        {
            // Go replaces each byte that is not part of a sound sequence.
            output.Write("\\ufffd"u8);
            return 1;
        }

        if (html && (rune.Value is 0x2028 or 0x2029))
        {
            output.Write(rune.Value == 0x2028 ? "\\u2028"u8 : "\\u2029"u8);
        }
        else
        {
            output.Write(text[..consumed]);
        }

        return consumed;
    }

    private static void WriteEscape(IBufferWriter<byte> output, byte c)
    {
        switch (c)
        {
            case (byte)'"':
                output.Write("\\\""u8);
                break;
            case (byte)'\\':
                output.Write("\\\\"u8);
                break;
            case (byte)'\n':
                output.Write("\\n"u8);
                break;
            case (byte)'\r':
                output.Write("\\r"u8);
                break;
            case (byte)'\t':
                output.Write("\\t"u8);
                break;
            default:
                var span = output.GetSpan(6);
                "\\u00"u8.CopyTo(span);
                span[4] = "0123456789abcdef"u8[c >> 4];
                span[5] = "0123456789abcdef"u8[c & 15];
                output.Advance(6);
                break;
        }
    }

    private static byte[] Specials(bool html)
    {
        var specials = new List<byte> { (byte)'"', (byte)'\\' };
        for (var c = 0; c < 0x20; c++)
        {
            specials.Add((byte)c);
        }

        for (var c = 0x80; c <= 0xFF; c++)
        {
            specials.Add((byte)c);
        }

        if (html)
        {
            specials.AddRange("<>&"u8);
        }

        return [.. specials];
    }
}
