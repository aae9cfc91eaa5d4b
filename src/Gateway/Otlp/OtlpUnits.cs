using System.Collections.Frozen;
using System.Text;

namespace Metrics.Gateway.Otlp;

/// <summary>Units of UCUM in the words that Prometheus's names have. Tables and rules: prometheus/otlptranslator 1.0.</summary>
internal static class OtlpUnits
{
    private static readonly FrozenDictionary<string, string> words = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["d"] = "days",
        ["h"] = "hours",
        ["min"] = "minutes",
        ["s"] = "seconds",
        ["ms"] = "milliseconds",
        ["us"] = "microseconds",
        ["ns"] = "nanoseconds",
        ["By"] = "bytes",
        ["KiBy"] = "kibibytes",
        ["MiBy"] = "mebibytes",
        ["GiBy"] = "gibibytes",
        ["TiBy"] = "tibibytes",
        ["KBy"] = "kilobytes",
        ["MBy"] = "megabytes",
        ["GBy"] = "gigabytes",
        ["TBy"] = "terabytes",
        ["m"] = "meters",
        ["V"] = "volts",
        ["A"] = "amperes",
        ["J"] = "joules",
        ["W"] = "watts",
        ["g"] = "grams",
        ["Cel"] = "celsius",
        ["Hz"] = "hertz",
        ["1"] = "",
        ["%"] = "percent",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> perWords = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["s"] = "second",
        ["m"] = "minute",
        ["h"] = "hour",
        ["d"] = "day",
        ["w"] = "week",
        ["mo"] = "month",
        ["y"] = "year",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The unit's words before and after the slash, the second with <c>per_</c> in front; either may be empty. Annotations in braces say nothing.</summary>
    public static (string Main, string Per) Split(string unit)
    {
        var slash = unit.IndexOf('/');
        var main = Word(slash < 0 ? unit : unit[..slash], words);
        var per = slash < 0 ? "" : Word(unit[(slash + 1)..], perWords);
        return (main, per.Length == 0 ? "" : "per_" + per);
    }

    /// <summary>The unit as metadata has it, e.g. <c>bytes_per_second</c>; <paramref name="escape"/> as the names are.</summary>
    public static string ForMetadata(string unit, bool escape)
    {
        var (main, per) = Split(unit);
        if (escape)
        {
            (main, per) = (Escape(main), Escape(per));
        }

        var all = main.Length > 0 && per.Length > 0 ? main + "_" + per : main + per;
        all = all.StartsWith('_') ? all[1..] : all;
        return all.EndsWith('_') ? all[..^1] : all;
    }

    /// <summary>Makes a unit fit for a name: what is no letter, digit or colon becomes an underscore, runs of them one, and none leads.</summary>
    public static string Escape(string unit)
    {
        var text = new StringBuilder(unit.Length);
        foreach (var rune in unit.EnumerateRunes())
        {
            var c = rune.IsAscii && (char.IsAsciiLetterOrDigit((char)rune.Value) || rune.Value == ':') ? (char)rune.Value : '_';
            if (c != '_' || text.Length == 0 || text[^1] != '_')
            {
                text.Append(c);
            }
        }

        return text.Length > 0 && text[0] == '_' ? text.ToString(1, text.Length - 1) : text.ToString();
    }

    private static string Word(string unit, FrozenDictionary<string, string> known)
    {
        var plain = unit.Trim();
        return plain.AsSpan().ContainsAny('{', '}') ? "" : known.GetValueOrDefault(plain, plain);
    }
}
