namespace Metrics.PromQL.Functions;

/// <summary>Calendar functions of a Unix time in seconds, in UTC, over the whole range that Go's <c>time</c> covers and .NET's does not.</summary>
/// <remarks>
/// Civil dates after H. Hinnant, "chrono-compatible low-level date algorithms", counted as Go does from a year so early that nothing is negative. NaN and what lies out
/// of range read as the number that Go's conversion gives on amd64, and times before that year wrap around, as Go's do.
/// </remarks>
internal static class DateFunctions
{
    private const ulong SecondsPerDay = 86_400;
    private const ulong DaysPerEra = 146_097;

    /// <summary>Go's first year, a multiple of 400; its 1st of March is day 0.</summary>
    private const long FirstYear = -292_277_022_400;

    /// <summary>From day 0 to 1970-01-01; year 0 is 719,468 days before that.</summary>
    private const ulong EpochDay = ((ulong)-FirstYear / 400 * DaysPerEra) + 719_468;

    /// <summary>1 to 31.</summary>
    public static double DayOfMonth(double seconds) => Civil(seconds).Day;

    /// <summary>0 (Sunday) to 6.</summary>
    // Day 0 is a Wednesday.
    public static double DayOfWeek(double seconds) => ((Absolute(seconds) / SecondsPerDay) + 3) % 7;

    /// <summary>1 to 366.</summary>
    public static double DayOfYear(double seconds)
    {
        var (year, month, day) = Civil(seconds);
        var before = ((367 * month) - 362) / 12;
        return before - (month <= 2 ? 0 : IsLeap(year) ? 1 : 2) + day;
    }

    /// <summary>28 to 31.</summary>
    public static double DaysInMonth(double seconds)
    {
        var (year, month, _) = Civil(seconds);
        return month == 2 ? (IsLeap(year) ? 29 : 28) : month is 4 or 6 or 9 or 11 ? 30 : 31;
    }

    /// <summary>0 to 23.</summary>
    public static double Hour(double seconds) => Absolute(seconds) % SecondsPerDay / 3600;

    /// <summary>0 to 59.</summary>
    public static double Minute(double seconds) => Absolute(seconds) % 3600 / 60;

    /// <summary>1 to 12.</summary>
    public static double Month(double seconds) => Civil(seconds).Month;

    /// <summary>The year, astronomical.</summary>
    public static double Year(double seconds) => Civil(seconds).Year;

    /// <summary>Seconds since day 0.</summary>
    private static ulong Absolute(double seconds)
    {
        var whole = seconds is >= long.MinValue and < 9.2233720368547758e18 ? (long)seconds : long.MinValue;
        return unchecked((ulong)whole + (EpochDay * SecondsPerDay));
    }

    private static bool IsLeap(long year) => year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    private static (long Year, int Month, int Day) Civil(double seconds)
    {
        // Years begin in March here, so that the leap day is the last.
        var (era, dayOfEra) = Math.DivRem(Absolute(seconds) / SecondsPerDay, DaysPerEra);
        var day = (int)dayOfEra;
        var yearOfEra = (day - (day / 1460) + (day / 36_524) - (day / 146_096)) / 365;
        var dayOfYear = day - ((365 * yearOfEra) + (yearOfEra / 4) - (yearOfEra / 100));
        var shifted = ((5 * dayOfYear) + 2) / 153;
        var month = shifted < 10 ? shifted + 3 : shifted - 9;
        return (FirstYear + ((long)era * 400) + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (((153 * shifted) + 2) / 5) + 1);
    }
}
