using System.Text;

namespace Metrics.Gateway.Configuration;

/// <summary>Prometheus's notation of durations: <c>1h30m</c>, <c>100ms</c>, <c>0</c>. Units y w d h m s ms, each at most once, from long to short.</summary>
/// <remarks>Format: prometheus/common model/time.go, ParseDuration. A year has 365 days.</remarks>
internal static class DurationText
{
    /// <summary>The longest duration there is: what 64-bit nanoseconds hold, as in Prometheus.</summary>
    private const long MaxMs = long.MaxValue / 1_000_000;

    private static readonly (string Unit, long Ms)[] Units =
    [
        ("y", 365L * 24 * 3600 * 1000), ("w", 7L * 24 * 3600 * 1000), ("d", 24L * 3600 * 1000), ("h", 3600L * 1000), ("m", 60L * 1000), ("s", 1000), ("ms", 1),
    ];

    /// <summary>Reads a duration in milliseconds; false when the text is none or overflows.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out long durationMs)
    {
        durationMs = 0;
        if (text is "0")
        {
            return true;
        }

        if (text.IsEmpty)
        {
            return false;
        }

        var nextUnit = 0;
        while (!text.IsEmpty)
        {
            var digits = text.IndexOfAnyExceptInRange('0', '9');
            if (digits <= 0 || !long.TryParse(text[..digits], out var count))
            {
                return false;
            }

            text = text[digits..];
            var letters = text.IndexOfAnyInRange('0', '9');
            var unit = letters < 0 ? text : text[..letters];
            var at = nextUnit;
            while (at < Units.Length && !unit.SequenceEqual(Units[at].Unit))
            {
                at++;
            }

            if (at == Units.Length || count > (MaxMs - durationMs) / Units[at].Ms)
            {
                return false;
            }

            durationMs += count * Units[at].Ms;
            nextUnit = at + 1;
            text = text[unit.Length..];
        }

        return true;
    }

    /// <summary>Writes a duration; parsing gives it back.</summary>
    public static string Format(TimeSpan duration)
    {
        var rest = (long)duration.TotalMilliseconds;
        if (rest == 0)
        {
            return "0";
        }

        var text = new StringBuilder();
        // Weeks and years only when nothing remains, as Prometheus prints them: 90d, not 12w6d.
        foreach (var (unit, unitMs) in Units)
        {
            if (unit is "y" or "w" && rest % unitMs != 0)
            {
                continue;
            }

            if (rest / unitMs > 0)
            {
                text.Append(rest / unitMs).Append(unit);
                rest %= unitMs;
            }
        }

        return text.ToString();
    }
}
