using System.Buffers;
using System.Globalization;
using System.Numerics;

namespace Metrics.PromQL.Parsing;

/// <summary>Numbers as Go's strconv reads and writes them.</summary>
internal static class GoNumber
{
    private static readonly SearchValues<char> decimalCharacters = SearchValues.Create("0123456789+-.eE");

    /// <summary>Reads as ParseInt with base 0 and, failing that, ParseFloat; false with Go's own text of the error.</summary>
    public static bool TryParse(string text, out double value, out string error)
    {
        error = "";
        if (TryParseInteger(text, out var whole))
        {
            value = whole;
            return true;
        }

        var parsed = TryParseFloat(text, out value, out var outOfRange);
        if (!parsed)
        {
            error = $"strconv.ParseFloat: parsing {GoText.Quote(text)}: {(outOfRange ? "value out of range" : "invalid syntax")}";
        }

        return parsed;
    }

    /// <summary>ParseFloat: decimal with exponent, <c>inf</c>, <c>infinity</c>, <c>nan</c> in any case; underscores between digits.</summary>
    public static bool TryParseFloat(string text, out double value, out bool outOfRange)
    {
        outOfRange = false;
        var unsigned = text.TrimStart('+', '-');
        if (text.Length - unsigned.Length <= 1)
        {
            var sign = text.StartsWith('-') ? -1.0 : 1.0;
            switch (unsigned.ToLowerInvariant())
            {
                case "nan":
                    value = double.NaN;
                    return true;
                case "inf" or "infinity":
                    value = sign * double.PositiveInfinity;
                    return true;
            }
        }

        var plain = text.Contains('_') ? UnderscoresSeparateDigits(text) ? text.Replace("_", "") : "" : text;
        var well = plain.AsSpan().IndexOfAnyExcept(decimalCharacters) < 0
            && double.TryParse(plain, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out value);
        if (!well)
        {
            value = 0;
            return false;
        }

        value = double.Parse(plain, NumberStyles.Float, CultureInfo.InvariantCulture);
        outOfRange = double.IsInfinity(value);
        return !outOfRange;
    }

    /// <summary>FormatFloat(value, 'f', -1, 64): the shortest digits that read back, never an exponent.</summary>
    public static string Plain(double value)
    {
        if (!double.IsFinite(value))
        {
            return NotFinite(value);
        }

        var (sign, digits, exponent) = Shortest(value);
        if (exponent >= digits.Length)
        {
            return sign + digits + new string('0', exponent - digits.Length);
        }

        return exponent <= 0
            ? $"{sign}0.{new string('0', -exponent)}{digits}"
            : $"{sign}{digits[..exponent]}.{digits[exponent..]}";
    }

    /// <summary><c>%.nf</c> of a finite float.</summary>
    public static string Fixed(double value, int decimals) => value.ToString("F" + decimals, CultureInfo.InvariantCulture);

    private static string NotFinite(double value) => double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";

    /// <summary>Sign, digits without leading or trailing zeros, and the power of ten so that the value is 0.digits x 10^exponent.</summary>
    private static (string Sign, string Digits, int Exponent) Shortest(double value)
    {
        var sign = double.IsNegative(value) ? "-" : "";
        if (value == 0)
        {
            return (sign, "0", 1);
        }

        var parts = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture).Split('E');
        var point = parts[0].IndexOf('.');
        var all = parts[0].Replace(".", "");
        var digits = all.TrimStart('0');
        var exponent = (point < 0 ? all.Length : point) - (all.Length - digits.Length);
        if (parts.Length > 1)
        {
            exponent += int.Parse(parts[1], CultureInfo.InvariantCulture);
        }

        digits = digits.TrimEnd('0');
        return (sign, digits, exponent);
    }

    private static bool TryParseInteger(string text, out long value)
    {
        value = 0;
        if (text.Length == 0 || (text.Contains('_') && !UnderscoresSeparateDigits(text)))
        {
            return false;
        }

        var (numberBase, digits) = text switch
        {
            ['0', 'x' or 'X', ..] => (16, text[2..]),
            ['0', 'b' or 'B', ..] => (2, text[2..]),
            ['0', 'o' or 'O', ..] => (8, text[2..]),
            ['0', _, ..] => (8, text[1..]),
            _ => (10, text),
        };
        BigInteger total = 0;
        var any = false;
        foreach (var c in digits)
        {
            if (c == '_')
            {
                continue;
            }

            var digit = char.IsAsciiHexDigit(c) ? Convert.ToInt32(c.ToString(), 16) : 99;
            if (digit >= numberBase || total > long.MaxValue)
            {
                return false;
            }

            any = true;
            total = (total * numberBase) + digit;
        }

        if (!any || total > long.MaxValue)
        {
            return false;
        }

        value = (long)total;
        return true;
    }

    private static bool UnderscoresSeparateDigits(string text)
    {
        var hex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        var from = hex ? 2 : 0;
        for (var i = from; i < text.Length; i++)
        {
            if (text[i] != '_')
            {
                continue;
            }

            var before = i == from ? hex : char.IsAsciiHexDigit(text[i - 1]);
            if (!before || i + 1 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]))
            {
                return false;
            }
        }

        return true;
    }
}
