using System.Text;

namespace Metrics.PromQL.Parsing;

/// <summary>Durations in Prometheus's form: <c>1h30m</c>, units y w d h m s ms in that order, each at most once.</summary>
/// <remarks>github.com/prometheus/common model.Duration.</remarks>
public static class PromDuration
{
    private static readonly (string Unit, long Ms)[] units =
    [
        ("y", 365L * 24 * 3600 * 1000), ("w", 7L * 24 * 3600 * 1000), ("d", 24L * 3600 * 1000), ("h", 3600 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1),
    ];

    // What nanoseconds in 64 bits can hold, the reference's own bound.
    private const long MaxMs = long.MaxValue / 1_000_000;

    /// <summary>Reads a duration, or a bare <c>0</c>; false with Prometheus's text of the error.</summary>
    public static bool TryParse(string text, out long ms, out string error)
    {
        ms = 0;
        error = "";
        switch (text)
        {
            case "0":
                return true;
            case "":
                error = "empty duration string";
                return false;
        }

        var at = 0;
        var nextUnit = 0;
        while (at < text.Length)
        {
            var digits = at;
            while (at < text.Length && char.IsAsciiDigit(text[at]))
            {
                at++;
            }

            var unitEnd = at;
            while (unitEnd < text.Length && char.IsAsciiLetter(text[unitEnd]))
            {
                unitEnd++;
            }

            var unit = Array.FindIndex(units, u => u.Unit.AsSpan().SequenceEqual(text.AsSpan(at, unitEnd - at)));
            if (at == digits || unit < nextUnit)
            {
                error = $"not a valid duration string: {GoText.Quote(text)}";
                return false;
            }

            if (!long.TryParse(text.AsSpan(digits, at - digits), out var count) || count > (MaxMs - ms) / units[unit].Ms)
            {
                error = "duration out of range";
                return false;
            }

            ms += count * units[unit].Ms;
            nextUnit = unit + 1;
            at = unitEnd;
        }

        return true;
    }

    /// <summary>Writes a duration; years and weeks only when nothing is left over. A negative one gets a sign.</summary>
    public static string Format(long ms)
    {
        if (ms == 0)
        {
            return "0s";
        }

        var text = new StringBuilder();
        if (ms < 0)
        {
            text.Append('-');
            ms = ms == long.MinValue ? long.MaxValue : -ms;
        }

        for (var i = 0; i < units.Length; i++)
        {
            var (unit, length) = units[i];
            var mustBeExact = i < 2;
            if (ms < length || (mustBeExact && ms % length != 0))
            {
                continue;
            }

            text.Append(ms / length).Append(unit);
            ms %= length;
        }

        return text.ToString();
    }
}
