using System.Globalization;

namespace Metrics.Gateway.QueryApi;

/// <summary>Times and durations as parameters of the API have them. Semantics: prometheus/prometheus web/api/v1/api.go, parseTime and parseDuration.</summary>
internal static class TimeText
{
    /// <summary>The earliest time a request can name; what an absent <c>start</c> means.</summary>
    public const long MinTimeMs = ((long.MinValue / 1000) + 62135596801) * 1000;

    /// <summary>The latest time a request can name; what an absent <c>end</c> means.</summary>
    public const long MaxTimeMs = (((long.MaxValue / 1000) - 62135596801) * 1000) + 999;

    private const NumberStyles GoFloat = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;

    /// <summary>Reads Unix seconds or RFC 3339; false when the text is neither, or beyond what can be named.</summary>
    public static bool TryParseTime(string text, out long timeMs)
    {
        if (double.TryParse(text, GoFloat, CultureInfo.InvariantCulture, out var seconds))
        {
            return TryFromSeconds(seconds, out timeMs);
        }

        switch (text)
        {
            case "-292273086-05-16T16:47:06Z": timeMs = MinTimeMs; return true;
            case "292277025-08-18T07:12:54.999999999Z": timeMs = MaxTimeMs; return true;
            default: return TryParseRfc3339(text, out timeMs);
        }
    }

    /// <summary>Reads seconds or a Prometheus duration, in nanoseconds; false when the text is neither. A float beyond 64-bit nanoseconds overflows.</summary>
    public static bool TryParseDuration(string text, out long durationNs, out bool overflows)
    {
        durationNs = 0;
        overflows = false;
        if (double.TryParse(text, GoFloat, CultureInfo.InvariantCulture, out var seconds) && !double.IsNaN(seconds))
        {
            var ns = seconds * 1e9;
            overflows = ns is >= long.MaxValue or < long.MinValue;
            durationNs = overflows ? 0 : (long)ns;
            return !overflows;
        }

        if (!Configuration.DurationText.TryParse(text, out var ms))
        {
            return false;
        }

        durationNs = ms * 1_000_000;
        return true;
    }

    private static bool TryFromSeconds(double seconds, out long timeMs)
    {
        timeMs = 0;
        var whole = Math.Truncate(seconds);
        if (!(Math.Abs(whole) < MaxTimeMs / 1000))
        {
            return false;
        }

        // Rounded to milliseconds and then truncated from nanoseconds, in this order: as Prometheus does, to the last bit.
        var fractionNs = (long)(Math.Round((seconds - whole) * 1000, MidpointRounding.AwayFromZero) / 1000 * 1e9);
        timeMs = ((long)whole * 1000) + (long)Math.Floor(fractionNs / 1e6);
        return true;
    }

    private static bool TryParseRfc3339(string text, out long timeMs)
    {
        timeMs = 0;
        // 2006-01-02T15:04:05 is 19 characters; then an optional fraction, then Z or an offset.
        if (text.Length < 20 || text[10] != 'T'
            || !DateTime.TryParseExact(text.AsSpan(0, 19), "yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var moment))
        {
            return false;
        }

        var rest = text.AsSpan(19);
        var fractionMs = 0L;
        if (rest[0] is '.' or ',')
        {
            var digits = rest[1..].IndexOfAnyExceptInRange('0', '9');
            if (digits <= 0)
            {
                return false;
            }

            for (var i = 0; i < 3; i++)
            {
                fractionMs = (fractionMs * 10) + (i < digits ? rest[1 + i] - '0' : 0);
            }

            rest = rest[(1 + digits)..];
        }

        if (!TryParseOffset(rest, out var offset))
        {
            return false;
        }

        timeMs = ((moment.Ticks - DateTime.UnixEpoch.Ticks - offset.Ticks) / TimeSpan.TicksPerMillisecond) + fractionMs;
        return true;
    }

    private static bool TryParseOffset(ReadOnlySpan<char> text, out TimeSpan offset)
    {
        offset = default;
        if (text is "Z")
        {
            return true;
        }

        if (text.Length != 6 || text[0] is not ('+' or '-') || text[3] != ':'
            || !int.TryParse(text[1..3], NumberStyles.None, CultureInfo.InvariantCulture, out var hours) || hours > 23
            || !int.TryParse(text[4..], NumberStyles.None, CultureInfo.InvariantCulture, out var minutes) || minutes > 59)
        {
            return false;
        }

        offset = new TimeSpan(hours, minutes, 0) * (text[0] == '-' ? -1 : 1);
        return true;
    }
}
