using Metrics.Wire;

namespace Metrics.Gateway.Otlp;

/// <summary>Makes the name of a metric family of an OTLP metric's name, unit and kind. Rules: prometheus/otlptranslator 1.0.</summary>
internal static class OtlpMetricName
{
    private const string Total = "total";
    private const string Ratio = "ratio";

    /// <summary>The name, or null when nothing usable is left of it.</summary>
    /// <param name="name">What the sender calls it.</param>
    /// <param name="unit">Its unit, in UCUM.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="isMonotonic">For a sum: whether it only grows.</param>
    /// <param name="escape">Leave nothing but letters, digits, underscores and colons.</param>
    /// <param name="addSuffixes">Say unit and type at the end.</param>
    public static string? Of(string name, string unit, OtlpMetricKind kind, bool isMonotonic, bool escape, bool addSuffixes)
    {
        var isCounter = kind == OtlpMetricKind.Sum && isMonotonic;
        var isRatio = kind == OtlpMetricKind.Gauge && unit == "1";
        if (!escape)
        {
            return name.Length == 0 ? null : addSuffixes ? WithSuffixes(name, unit, isCounter, isRatio) : name;
        }

        var escaped = addSuffixes ? EscapedWithSuffixes(name, unit, isCounter, isRatio) : Escaped(name);
        return escaped.Length > 0 && (escaped == name || escaped.AsSpan().ContainsAnyExcept('_')) ? escaped : null;
    }

    private static string Escaped(string name) => NotLedByDigit(string.Join('_', Tokens(name, splitUnderscores: false)));

    private static string EscapedWithSuffixes(string name, string unit, bool isCounter, bool isRatio)
    {
        var tokens = Tokens(name, splitUnderscores: true);
        var (main, per) = OtlpUnits.Split(unit);
        main = OtlpUnits.Escape(main);
        per = OtlpUnits.Escape(per);
        per = per == "per_" ? "" : WithoutTrailingUnderscore(per);
        main = tokens.Contains(main, StringComparer.Ordinal) ? "" : main;
        per = tokens.Contains(per, StringComparer.Ordinal) ? "" : per;
        main = per.Length > 0 ? WithoutTrailingUnderscore(main) : main;
        tokens.AddRange(new[] { main, per }.Where(t => t.Length > 0));
        Append(isCounter, Total);
        Append(isRatio, Ratio);
        return NotLedByDigit(string.Join('_', tokens));

        void Append(bool wanted, string word)
        {
            if (wanted)
            {
                tokens.RemoveAll(t => t == word);
                tokens.Add(word);
            }
        }
    }

    private static string WithSuffixes(string name, string unit, bool isCounter, bool isRatio)
    {
        // Suffixes the name has already are taken off outermost first, and put on again innermost first.
        var (main, per) = OtlpUnits.Split(unit);
        name = isRatio ? Without(name, Ratio) : name;
        name = isCounter ? Without(name, Total) : name;
        name = per.Length > 0 ? Without(name, per) : name;
        name = main.Length > 0 && !name.EndsWith(main, StringComparison.Ordinal) ? name + "_" + main : name;
        name = per.Length > 0 ? name + "_" + per : name;
        name = isCounter ? name + "_" + Total : name;
        return isRatio ? name + "_" + Ratio : name;
    }

    // Whatever one character stands before the suffix goes with it.
    private static string Without(string name, string suffix) =>
        name.EndsWith(suffix, StringComparison.Ordinal) && name.Length > suffix.Length + 1 ? name[..^(suffix.Length + 1)] : name;

    private static string WithoutTrailingUnderscore(string text) => text.EndsWith('_') ? text[..^1] : text;

    private static string NotLedByDigit(string name) => name.Length > 0 && char.IsAsciiDigit(name[0]) ? "_" + name : name;

    private static List<string> Tokens(string name, bool splitUnderscores)
    {
        var tokens = new List<string>();
        var start = 0;
        for (var i = 0; i <= name.Length; i++)
        {
            if (i < name.Length && (char.IsAsciiLetterOrDigit(name[i]) || name[i] == ':' || (name[i] == '_' && !splitUnderscores)))
            {
                continue;
            }

            if (i > start)
            {
                tokens.Add(name[start..i]);
            }

            start = i + 1;
        }

        return tokens;
    }
}
