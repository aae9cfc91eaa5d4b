using System.Globalization;
using System.Text;

namespace Metrics.Rules.Templates;

/// <summary>Times and durations as Go's <c>time</c> package writes them.</summary>
internal static class GoTime
{
    // Longer elements first, so that 2006 is not read as 2 and 006.
    private static readonly string[] elements =
    [
        "January", "Jan", "Monday", "Mon", "MST", "2006", "Z07:00", "-07:00", "-0700", "Z0700", "-07", "002", "01", "02", "03", "04", "05", "06", "15", "PM", "pm",
        "_2", "1", "2", "3", "4", "5",
    ];

    /// <summary><c>Time.String()</c> of a UTC time.</summary>
    public static string Text(DateTime time) => Format(time, "2006-01-02 15:04:05.999999999 -0700 MST");

    /// <summary><c>Time.Format(layout)</c> of a UTC time.</summary>
    public static string Format(DateTime time, string layout)
    {
        var text = new StringBuilder();
        for (var at = 0; at < layout.Length;)
        {
            if (layout[at] is '.' or ',' && FractionLength(layout, at) is var digits and > 0)
            {
                AppendFraction(text, time, layout[at], layout[at + 1], digits);
                at += digits + 1;
                continue;
            }

            var element = Array.Find(elements, e => layout.AsSpan(at).StartsWith(e, StringComparison.Ordinal));
            if (element is null)
            {
                text.Append(layout[at++]);
                continue;
            }

            text.Append(Value(time, element));
            at += element.Length;
        }

        return text.ToString();
    }

    /// <summary><c>Duration.String()</c>.</summary>
    public static string Text(TimeSpan duration)
    {
        if (duration == TimeSpan.Zero)
        {
            return "0s";
        }

        var sign = duration < TimeSpan.Zero ? "-" : "";
        var nanoseconds = (decimal)Math.Abs((double)duration.Ticks) * 100;
        if (nanoseconds < 1_000_000_000)
        {
            return sign + (nanoseconds < 1000 ? $"{nanoseconds:0}ns"
                : nanoseconds < 1_000_000 ? $"{(nanoseconds / 1000).ToString("0.###", CultureInfo.InvariantCulture)}µs"
                : $"{(nanoseconds / 1_000_000).ToString("0.######", CultureInfo.InvariantCulture)}ms");
        }

        var seconds = nanoseconds / 1_000_000_000;
        var hours = decimal.Floor(seconds / 3600);
        var minutes = decimal.Floor((seconds - (hours * 3600)) / 60);
        var rest = (seconds - (hours * 3600) - (minutes * 60)).ToString("0.#########", CultureInfo.InvariantCulture);
        return sign + (hours > 0 ? $"{hours:0}h{minutes:0}m{rest}s" : minutes > 0 ? $"{minutes:0}m{rest}s" : $"{rest}s");
    }

    private static int FractionLength(string layout, int at)
    {
        var end = at + 1;
        while (end < layout.Length && layout[end] == layout[at + 1] && layout[end] is '0' or '9')
        {
            end++;
        }

        return end < layout.Length && char.IsAsciiDigit(layout[end]) ? 0 : end - at - 1;
    }

    private static void AppendFraction(StringBuilder text, DateTime time, char point, char kind, int digits)
    {
        var all = (time.Ticks % TimeSpan.TicksPerSecond).ToString("0000000", CultureInfo.InvariantCulture).PadRight(Math.Max(digits, 7), '0')[..digits];
        if (kind == '9')
        {
            all = all.TrimEnd('0');
        }

        if (all.Length > 0)
        {
            text.Append(point).Append(all);
        }
    }

    private static string Value(DateTime time, string element) => element switch
    {
        "January" => time.ToString("MMMM", CultureInfo.InvariantCulture),
        "Jan" => time.ToString("MMM", CultureInfo.InvariantCulture),
        "Monday" => time.ToString("dddd", CultureInfo.InvariantCulture),
        "Mon" => time.ToString("ddd", CultureInfo.InvariantCulture),
        "MST" => "UTC",
        "2006" => time.Year.ToString("0000", CultureInfo.InvariantCulture),
        "06" => time.ToString("yy", CultureInfo.InvariantCulture),
        "01" => time.ToString("MM", CultureInfo.InvariantCulture),
        "1" => time.Month.ToString(CultureInfo.InvariantCulture),
        "02" => time.ToString("dd", CultureInfo.InvariantCulture),
        "_2" => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        "2" => time.Day.ToString(CultureInfo.InvariantCulture),
        "002" => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        "15" => time.ToString("HH", CultureInfo.InvariantCulture),
        "03" => time.ToString("hh", CultureInfo.InvariantCulture),
        "3" => (((time.Hour + 11) % 12) + 1).ToString(CultureInfo.InvariantCulture),
        "04" => time.ToString("mm", CultureInfo.InvariantCulture),
        "4" => time.Minute.ToString(CultureInfo.InvariantCulture),
        "05" => time.ToString("ss", CultureInfo.InvariantCulture),
        "5" => time.Second.ToString(CultureInfo.InvariantCulture),
        "PM" => time.Hour < 12 ? "AM" : "PM",
        "pm" => time.Hour < 12 ? "am" : "pm",
        "Z07:00" or "Z0700" => "Z",
        "-07:00" => "+00:00",
        "-0700" => "+0000",
        _ => "+00",
    };
}
