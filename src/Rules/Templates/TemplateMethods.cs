namespace Metrics.Rules.Templates;

/// <summary>The methods of times and durations that templates may call.</summary>
internal static class TemplateMethods
{
    /// <summary>Calls a method; false when the value has none of this name.</summary>
    /// <exception cref="TemplateFault">The arguments do not fit.</exception>
    public static bool TryCall(object? receiver, string name, object?[] arguments, out object? result)
    {
        result = receiver switch
        {
            DateTime time => Of(time, name, arguments),
            TimeSpan duration => Of(duration, name),
            _ => null,
        };
        if (result is not null && arguments.Length != (name is "Format" or "Add" or "Sub" && receiver is DateTime ? 1 : 0))
        {
            throw new TemplateFault($"wrong number of args for {name}: want {(arguments.Length == 0 ? 1 : 0)} got {arguments.Length}");
        }

        return result is not null;
    }

    private static object? Of(DateTime time, string name, object?[] arguments) => name switch
    {
        "Format" => arguments is [string layout] ? GoTime.Format(time, layout) : throw new TemplateFault("wrong arguments for Format: want a layout"),
        "Add" => arguments is [TimeSpan duration] ? time + duration : throw new TemplateFault("wrong arguments for Add: want a duration"),
        "Sub" => arguments is [DateTime other] ? time - other : throw new TemplateFault("wrong arguments for Sub: want a time"),
        "String" => GoTime.Text(time),
        "UTC" or "Local" => time,
        "Unix" => new DateTimeOffset(time).ToUnixTimeSeconds(),
        "UnixMilli" => new DateTimeOffset(time).ToUnixTimeMilliseconds(),
        "Year" => (long)time.Year,
        "Month" => GoTime.Format(time, "January"),
        "Day" => (long)time.Day,
        "Weekday" => GoTime.Format(time, "Monday"),
        "Hour" => (long)time.Hour,
        "Minute" => (long)time.Minute,
        "Second" => (long)time.Second,
        "YearDay" => (long)time.DayOfYear,
        _ => null,
    };

    private static object? Of(TimeSpan duration, string name) => name switch
    {
        "String" => GoTime.Text(duration),
        "Hours" => duration.TotalHours,
        "Minutes" => duration.TotalMinutes,
        "Seconds" => duration.TotalSeconds,
        "Milliseconds" => (long)duration.TotalMilliseconds,
        _ => null,
    };
}
