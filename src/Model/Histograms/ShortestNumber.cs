using System.Globalization;
using System.Text;

namespace Metrics.Model;

/// <summary>Numbers as Prometheus prints them in histograms: Go's <c>%g</c>.</summary>
public static class ShortestNumber
{
    /// <summary>The fewest digits that read back the same; with an exponent below 1e-04 and from 1e+06.</summary>
    public static string Of(double value)
    {
        if (double.IsNaN(value))
        {
            return "NaN";
        }

        if (double.IsInfinity(value))
        {
            return value > 0 ? "+Inf" : "-Inf";
        }

        if (value == 0)
        {
            return double.IsNegative(value) ? "-0" : "0";
        }

        return Written(value.ToString("E16", CultureInfo.InvariantCulture), value);
    }

    private static string Written(string longest, double value)
    {
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        var digits = new StringBuilder();
        foreach (var c in shortest.AsSpan(0, shortest.IndexOf('E') is var e and >= 0 ? e : shortest.Length))
        {
            if (char.IsAsciiDigit(c) && (c != '0' || digits.Length > 0))
            {
                digits.Append(c);
            }
        }

        var text = digits.ToString().TrimEnd('0');
        var exponent = Exponent(longest, text);
        var sign = value < 0 ? "-" : "";
        if (exponent is < -4 or >= 6)
        {
            var mantissa = text.Length == 1 ? text : $"{text[0]}.{text.AsSpan(1)}";
            return $"{sign}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        return sign + (exponent < 0 ? $"0.{new string('0', -exponent - 1)}{text}"
            : text.Length <= exponent + 1 ? text.PadRight(exponent + 1, '0')
            : $"{text.AsSpan(0, exponent + 1)}.{text.AsSpan(exponent + 1)}");
    }

    // "9.99..E+002" may stand for shortest digits "1": then the exponent is one more.
    private static int Exponent(string longest, string shortest)
    {
        var exponent = int.Parse(longest.AsSpan(longest.IndexOf('E') + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var first = longest[0] == '-' ? longest[1] : longest[0];
        return first == '9' && shortest[0] == '1' ? exponent + 1 : exponent;
    }
}
