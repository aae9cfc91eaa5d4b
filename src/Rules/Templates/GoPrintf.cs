using System.Globalization;
using System.Numerics;
using System.Text;
using Metrics.Model;

namespace Metrics.Rules.Templates;

/// <summary>Go's <c>fmt.Sprintf</c> for the values that templates know.</summary>
/// <remarks>Mistakes in the format do not fail; they are written into the text as Go does, e.g. <c>%!d(float64=1.5)</c>. Indexed arguments (<c>%[1]d</c>) are not supported and come out as a bad verb.</remarks>
internal static class GoPrintf
{
    /// <summary>Where Go, too, calls a width or precision bad.</summary>
    private const int MaxWidth = 1_000_000;

    /// <summary>The widest that is padded here: a template must not be able to fill the memory.</summary>
    private const int MaxPadding = 10_000;

    /// <summary>Formats.</summary>
    public static string Format(string format, ReadOnlySpan<object?> arguments)
    {
        var text = new StringBuilder();
        var next = 0;
        for (var at = 0; at < format.Length;)
        {
            var percent = format.IndexOf('%', at);
            if (percent < 0)
            {
                text.Append(format, at, format.Length - at);
                break;
            }

            text.Append(format, at, percent - at);
            at = percent + 1;
            var spec = ReadSpec(format, ref at, arguments, ref next, text);
            if (at >= format.Length)
            {
                text.Append("%!(NOVERB)");
                break;
            }

            Rune.DecodeFromUtf16(format.AsSpan(at), out var verb, out var width);
            at += width;
            if (verb.Value == '%')
            {
                text.Append('%');
            }
            else if (next >= arguments.Length)
            {
                text.Append("%!").Append(verb).Append("(MISSING)");
            }
            else
            {
                Append(text, spec, verb, arguments[next++]);
            }
        }

        AppendExtra(text, arguments, next);
        return text.ToString();
    }

    /// <summary><c>fmt.Sprint</c>: a space between operands when neither is a string.</summary>
    public static string Print(ReadOnlySpan<object?> values)
    {
        var text = new StringBuilder();
        for (var i = 0; i < values.Length; i++)
        {
            if (i > 0 && values[i] is not string && values[i - 1] is not string)
            {
                text.Append(' ');
            }

            text.Append(TemplateValue.Text(values[i]));
        }

        return text.ToString();
    }

    /// <summary><c>fmt.Sprintln</c>: always spaces, and a line feed.</summary>
    public static string PrintLine(ReadOnlySpan<object?> values)
    {
        var text = new StringBuilder();
        for (var i = 0; i < values.Length; i++)
        {
            text.Append(i > 0 ? " " : "").Append(TemplateValue.Text(values[i]));
        }

        return text.Append('\n').ToString();
    }

    private static Spec ReadSpec(string format, ref int at, ReadOnlySpan<object?> arguments, ref int next, StringBuilder text)
    {
        var spec = new Spec(false, false, false, false, false, -1, -1);
        for (; at < format.Length; at++)
        {
            switch (format[at])
            {
                case '+': spec = spec with { Plus = true }; continue;
                case '-': spec = spec with { Minus = true, Zero = false }; continue;
                case '#': spec = spec with { Sharp = true }; continue;
                case ' ': spec = spec with { Space = true }; continue;
                case '0': spec = spec with { Zero = !spec.Minus }; continue;
            }

            break;
        }

        spec = spec with { Width = ReadNumber(format, ref at, arguments, ref next, text, "%!(BADWIDTH)") };
        if (spec.Width < -1)
        {
            spec = spec with { Minus = true, Zero = false, Width = -spec.Width };
        }

        if (at < format.Length && format[at] == '.')
        {
            at++;
            var precision = ReadNumber(format, ref at, arguments, ref next, text, "%!(BADPREC)");
            spec = spec with { Precision = precision < -1 ? -1 : Math.Max(precision, 0) };
        }

        return spec;
    }

    private static int ReadNumber(string format, ref int at, ReadOnlySpan<object?> arguments, ref int next, StringBuilder text, string bad)
    {
        if (at < format.Length && format[at] == '*')
        {
            at++;
            if (next < arguments.Length && arguments[next] is long given && Math.Abs(given) <= MaxWidth)
            {
                next++;
                return (int)given;
            }

            next = Math.Min(next + 1, arguments.Length);
            text.Append(bad);
            return -1;
        }

        var start = at;
        var number = 0;
        for (; at < format.Length && char.IsAsciiDigit(format[at]); at++)
        {
            number = Math.Min((number * 10) + (format[at] - '0'), MaxWidth);
        }

        return at == start ? -1 : number;
    }

    private static void AppendExtra(StringBuilder text, ReadOnlySpan<object?> arguments, int next)
    {
        if (next >= arguments.Length)
        {
            return;
        }

        text.Append("%!(EXTRA ");
        for (var i = next; i < arguments.Length; i++)
        {
            text.Append(i > next ? ", " : "").Append(arguments[i] is null ? "<nil>" : $"{TemplateValue.TypeName(arguments[i])}={TemplateValue.Text(arguments[i])}");
        }

        text.Append(')');
    }

    private static void Append(StringBuilder text, Spec spec, Rune verb, object? value)
    {
        var letter = verb.IsBmp ? (char)verb.Value : '\0';
        switch (letter)
        {
            case 'T':
                Pad(text, spec, value is null ? "<nil>" : TemplateValue.TypeName(value));
                return;
            case 'v':
                AppendDefault(text, spec, value);
                return;
        }

        var written = value switch
        {
            bool flag => letter == 't' ? flag ? "true" : "false" : null,
            long whole => Whole(spec, letter, whole),
            double number => Number(spec, letter, number),
            string or SafeHtml => Words(spec, letter, value.ToString()!),
            null => null,
            _ => letter == 's' ? Words(spec, 's', TemplateValue.Text(value)) : null,
        };
        if (written is null)
        {
            text.Append("%!").Append(verb).Append('(').Append(value is null ? "<nil>" : $"{TemplateValue.TypeName(value)}={TemplateValue.Text(value)}").Append(')');
            return;
        }

        var isNumber = value is long or double && letter is not ('c' or 'q' or 'U');
        Pad(text, isNumber ? spec : spec with { Zero = spec.Zero && value is string }, written, isNumber);
    }

    private static void AppendDefault(StringBuilder text, Spec spec, object? value)
    {
        var written = value switch
        {
            null => "<nil>",
            string words when spec.Sharp => LabelsText.Quote(words),
            double number => Number(spec with { Sharp = false }, 'g', number)!,
            long whole => Whole(spec with { Sharp = false }, 'd', whole)!,
            string words => Words(spec, 's', words)!,
            _ => TemplateValue.Text(value),
        };
        Pad(text, spec, written, value is long or double);
    }

    private static string? Words(Spec spec, char verb, string value)
    {
        if (spec.Precision >= 0)
        {
            value = FirstRunes(value, spec.Precision);
        }

        return verb switch
        {
            's' => value,
            'q' => spec.Sharp && !value.Contains('`') ? $"`{value}`" : LabelsText.Quote(value),
            'x' => Convert.ToHexStringLower(Encoding.UTF8.GetBytes(value)),
            'X' => Convert.ToHexString(Encoding.UTF8.GetBytes(value)),
            _ => null,
        };
    }

    private static string FirstRunes(string value, int count)
    {
        var at = 0;
        for (; count > 0 && at < value.Length; count--)
        {
            Rune.DecodeFromUtf16(value.AsSpan(at), out _, out var width);
            at += width;
        }

        return value[..at];
    }

    private static string? Whole(Spec spec, char verb, long value)
    {
        var magnitude = BigInteger.Abs(value);
        string digits;
        switch (verb)
        {
            case 'd': digits = magnitude.ToString(CultureInfo.InvariantCulture); break;
            case 'b': digits = InBase(magnitude, 2); break;
            case 'o' or 'O': digits = (verb == 'O' ? "0o" : spec.Sharp ? "0" : "") + InBase(magnitude, 8); break;
            case 'x': digits = (spec.Sharp ? "0x" : "") + InBase(magnitude, 16); break;
            case 'X': digits = (spec.Sharp ? "0X" : "") + InBase(magnitude, 16).ToUpperInvariant(); break;
            case 'c': return Character(value);
            case 'q': return $"'{Character(value)}'";
            case 'U': return "U+" + value.ToString("X4", CultureInfo.InvariantCulture);
            default: return null;
        }

        if (spec.Precision > digits.Length)
        {
            digits = digits.PadLeft(Math.Min(spec.Precision, MaxPadding), '0');
        }

        return (value < 0 ? "-" : Sign(spec)) + digits;
    }

    private static string Character(long value) => new Rune(Rune.IsValid((int)Math.Clamp(value, int.MinValue, int.MaxValue)) ? (int)value : 0xFFFD).ToString();

    private static string InBase(BigInteger value, int numberBase)
    {
        var digits = new StringBuilder();
        do
        {
            digits.Insert(0, "0123456789abcdef"[(int)(value % numberBase)]);
            value /= numberBase;
        }
        while (value > 0);
        return digits.ToString();
    }

    private static string? Number(Spec spec, char verb, double value)
    {
        var precision = spec.Precision;
        string text;
        switch (verb)
        {
            case 'e' or 'E' or 'f' or 'F':
                text = GoFloatText.Format(value, verb == 'F' ? 'f' : verb, precision < 0 ? 6 : precision);
                break;
            case 'g' or 'G':
                text = GoFloatText.Format(value, verb, precision);
                break;
            default:
                return null;
        }

        // An infinity always shows its sign.
        if (text[0] is '-' or '+')
        {
            return text[0] == '+' && spec.Space && !spec.Plus ? string.Concat(" ", text.AsSpan(1)) : text;
        }

        return Sign(spec) + text;
    }

    private static string Sign(Spec spec) => spec.Plus ? "+" : spec.Space ? " " : "";

    private static void Pad(StringBuilder text, Spec spec, string written, bool isNumber = false)
    {
        var length = 0;
        foreach (var _ in written.EnumerateRunes())
        {
            length++;
        }

        var missing = Math.Min(spec.Width, MaxPadding) - length;
        if (missing <= 0)
        {
            text.Append(written);
        }
        else if (spec.Minus)
        {
            text.Append(written).Append(' ', missing);
        }
        else if (spec.Zero && !(isNumber && written.AsSpan().ContainsAny('I', 'N')))
        {
            var sign = isNumber && written[0] is '-' or '+' or ' ' ? 1 : 0;
            text.Append(written, 0, sign).Append('0', missing).Append(written, sign, written.Length - sign);
        }
        else
        {
            text.Append(' ', missing).Append(written);
        }
    }

    private readonly record struct Spec(bool Plus, bool Minus, bool Sharp, bool Space, bool Zero, int Width, int Precision);
}
