using System.Globalization;
using System.Text;

namespace Metrics.Rules.Templates;

/// <summary>Floats as Go's <c>strconv.FormatFloat</c> writes them, with any verb and precision.</summary>
/// <remarks>Digits come from .NET's exact conversion; rounding (half to even on the exact value) and layout are Go's.</remarks>
internal static class GoFloatText
{
    // A double has at most 767 significant decimal digits.
    private const string ExactFormat = "E766";
    private const int MaxPrecision = 1000;

    /// <summary>Formats with verb e, E, f, F, g or G; precision -1 is the fewest digits that read back as the same value.</summary>
    public static string Format(double value, char verb, int precision)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
        }

        precision = Math.Min(precision, MaxPrecision);
        var shortest = precision < 0;
        var digits = DigitsOf(value, shortest);
        switch (char.ToLowerInvariant(verb))
        {
            case 'e':
                return Exponent(shortest ? digits : digits.Rounded(precision + 1), shortest ? digits.Text.Length - 1 : precision, verb);
            case 'f':
                digits = shortest ? digits : digits.Rounded(digits.Point + precision);
                return Fixed(digits, shortest ? Math.Max(digits.Text.Length - digits.Point, 0) : precision);
            default:
                return General(digits, precision, shortest, verb);
        }
    }

    private static string General(Digits digits, int precision, bool shortest, char verb)
    {
        if (!shortest)
        {
            precision = Math.Max(precision, 1);
            digits = digits.Rounded(precision);
        }
        else
        {
            precision = 6;
        }

        var count = digits.Text.Length;
        var exponentFrom = precision > count && count >= digits.Point ? count : precision;
        exponentFrom = shortest ? 6 : exponentFrom;
        var exponent = digits.Point - 1;
        if (exponent < -4 || exponent >= exponentFrom)
        {
            return Exponent(digits, (shortest || precision > count ? count : precision) - 1, verb == 'g' ? 'e' : 'E');
        }

        return Fixed(digits, Math.Max(count - digits.Point, 0));
    }

    private static string Exponent(Digits digits, int precision, char verb)
    {
        var text = new StringBuilder(digits.IsNegative ? "-" : "").Append(digits.At(0));
        if (precision > 0)
        {
            text.Append('.');
            for (var i = 1; i <= precision; i++)
            {
                text.Append(digits.At(i));
            }
        }

        var exponent = digits.IsZero ? 0 : digits.Point - 1;
        return text.Append(verb).Append(exponent < 0 ? '-' : '+').Append(Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture)).ToString();
    }

    private static string Fixed(Digits digits, int decimals)
    {
        var text = new StringBuilder(digits.IsNegative ? "-" : "");
        if (digits.Point > 0)
        {
            for (var i = 0; i < digits.Point; i++)
            {
                text.Append(digits.At(i));
            }
        }
        else
        {
            text.Append('0');
        }

        if (decimals > 0)
        {
            text.Append('.');
            for (var i = 0; i < decimals; i++)
            {
                text.Append(digits.At(digits.Point + i));
            }
        }

        return text.ToString();
    }

    private static Digits DigitsOf(double value, bool shortest)
    {
        var negative = double.IsNegative(value);
        if (value == 0)
        {
            return new Digits(negative, "", 0);
        }

        var written = Math.Abs(value).ToString(shortest ? "E16" : ExactFormat, CultureInfo.InvariantCulture);
        if (shortest)
        {
            written = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        }

        var parts = written.Split('E');
        var point = parts[0].IndexOf('.');
        var all = parts[0].Replace(".", "");
        var digits = all.TrimStart('0');
        var place = (point < 0 ? all.Length : point) - (all.Length - digits.Length);
        if (parts.Length > 1)
        {
            place += int.Parse(parts[1], CultureInfo.InvariantCulture);
        }

        return new Digits(negative, digits.TrimEnd('0'), place);
    }

    /// <summary>The value 0.Text x 10^Point; no trailing zeros, and no digits at all for zero.</summary>
    private readonly record struct Digits(bool IsNegative, string Text, int Point)
    {
        public bool IsZero => Text.Length == 0;

        public char At(int index) => index >= 0 && index < Text.Length ? Text[index] : '0';

        public Digits Rounded(int count)
        {
            if (count >= Text.Length)
            {
                return this;
            }

            if (count < 0)
            {
                return new Digits(IsNegative, "", 0);
            }

            var isTie = Text[count] == '5' && count + 1 == Text.Length;
            var up = isTie ? count > 0 && (Text[count - 1] - '0') % 2 == 1 : Text[count] >= '5';
            var kept = Text[..count];
            if (!up)
            {
                kept = kept.TrimEnd('0');
                return new Digits(IsNegative, kept, kept.Length == 0 ? 0 : Point);
            }

            kept = kept.TrimEnd('9');
            return kept.Length == 0
                ? new Digits(IsNegative, "1", Point + 1)
                : new Digits(IsNegative, string.Concat(kept.AsSpan(0, kept.Length - 1), ((char)(kept[^1] + 1)).ToString()), Point);
        }
    }
}
