using Metrics.PromQL.Parsing;

namespace Metrics.Rules.Templates;

/// <summary>Numbers for people, as Prometheus's templates write them.</summary>
internal static class Humanized
{
    private static readonly string[] large = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
    private static readonly string[] small = ["m", "u", "n", "p", "f", "a", "z", "y"];
    private static readonly string[] binary = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];

    /// <summary>With metric prefixes.</summary>
    public static string Metric(double value)
    {
        if (value == 0 || !double.IsFinite(value))
        {
            return Four(value);
        }

        if (Math.Abs(value) >= 1)
        {
            return Divided(value, large, 1000);
        }

        return Multiplied(value, out var prefix) + prefix;
    }

    /// <summary>With prefixes of powers of 1024.</summary>
    public static string Binary(double value) => Math.Abs(value) <= 1 || !double.IsFinite(value) ? Four(value) : Divided(value, binary, 1024);

    /// <summary>A duration in seconds.</summary>
    public static string Duration(double value)
    {
        if (!double.IsFinite(value))
        {
            return Four(value);
        }

        if (value == 0)
        {
            return Four(value) + "s";
        }

        if (Math.Abs(value) < 1)
        {
            return Multiplied(value, out var prefix) + prefix + "s";
        }

        var sign = value < 0 ? "-" : "";
        value = Math.Abs(value);
        var whole = value >= long.MaxValue ? long.MaxValue : (long)value;
        var (seconds, minutes, hours, days) = (whole % 60, whole / 60 % 60, whole / 3600 % 24, whole / 86400);
        return sign + (days != 0 ? $"{days}d {hours}h {minutes}m {seconds}s"
            : hours != 0 ? $"{hours}h {minutes}m {seconds}s"
            : minutes != 0 ? $"{minutes}m {seconds}s"
            : Four(value) + "s");
    }

    /// <summary>A ratio.</summary>
    public static string Percentage(double value) => Four(value * 100) + "%";

    /// <summary>A Unix time in seconds.</summary>
    public static string Timestamp(double value) => double.IsFinite(value) ? GoTime.Text(ToTime(value)) : Four(value);

    /// <summary>The UTC time of a Unix time in seconds, to the millisecond.</summary>
    /// <exception cref="TemplateFault">There is no such time.</exception>
    public static DateTime ToTime(double value)
    {
        if (!double.IsFinite(value))
        {
            throw new TemplateFault("value is NaN or Inf");
        }

        var nanoseconds = value * 1e9;
        if (nanoseconds is > long.MaxValue or < long.MinValue)
        {
            throw new TemplateFault($"{GoFloatText.Format(value, 'g', -1)} cannot be represented as a nanoseconds timestamp since it overflows int64");
        }

        return DateTime.UnixEpoch.AddTicks((long)Math.Truncate(nanoseconds / 1e6) * TimeSpan.TicksPerMillisecond);
    }

    /// <summary>The seconds of a Prometheus duration, which may be negative.</summary>
    /// <exception cref="TemplateFault">It is none.</exception>
    public static double ParseDuration(string text)
    {
        var negative = text.StartsWith('-');
        return PromDuration.TryParse(negative ? text[1..] : text, out var ms, out var error) ? (negative ? -ms : ms) / 1000.0 : throw new TemplateFault(error);
    }

    private static string Four(double value) => GoPrintf.Format("%.4g", [value]);

    private static string Divided(double value, string[] prefixes, double step)
    {
        var prefix = "";
        foreach (var next in prefixes)
        {
            if (Math.Abs(value) < step)
            {
                break;
            }

            prefix = next;
            value /= step;
        }

        return Four(value) + prefix;
    }

    private static string Multiplied(double value, out string prefix)
    {
        prefix = "";
        foreach (var next in small)
        {
            if (Math.Abs(value) >= 1)
            {
                break;
            }

            prefix = next;
            value *= 1000;
        }

        return Four(value);
    }
}
