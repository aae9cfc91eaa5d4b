namespace Metrics.PromQL.Functions;

/// <summary>Calendar functions of a Unix time in seconds, in UTC, over the whole range that Go's <c>time</c> covers and .NET's does not.</summary>
/// <remarks>Civil dates after H. Hinnant, "chrono-compatible low-level date algorithms". NaN and infinities read as the number that Go's conversion gives on amd64.</remarks>
internal static class DateFunctions
{
    private const long SecondsPerDay = 86_400;

    /// <summary>1 to 31.</summary>
    public static double DayOfMonth(double seconds) => Civil(seconds).Day;

    /// <summary>0 (Sunday) to 6.</summary>
    public static double DayOfWeek(double seconds) => FloorMod(Days(seconds) + 4, 7);

    /// <summary>1 to 366.</summary>
    public static double DayOfYear(double seconds)
    {
        var days = Days(seconds);
        return days - DaysFromCivil(Civil(seconds).Year, 1, 1) + 1;
    }

    /// <summary>28 to 31.</summary>
    public static double DaysInMonth(double seconds)
    {
        var (year, month, _) = Civil(seconds);
        return month == 12 ? 31 : DaysFromCivil(year, month + 1, 1) - DaysFromCivil(year, month, 1);
    }

    /// <summary>0 to 23.</summary>
    public static double Hour(double seconds) => FloorMod(Whole(seconds), SecondsPerDay) / 3600;

    /// <summary>0 to 59.</summary>
    public static double Minute(double seconds) => FloorMod(Whole(seconds), 3600) / 60;

    /// <summary>1 to 12.</summary>
    public static double Month(double seconds) => Civil(seconds).Month;

    /// <summary>The year, astronomical.</summary>
    public static double Year(double seconds) => Civil(seconds).Year;

    private static long Whole(double seconds) => seconds is >= long.MinValue and < 9.2233720368547758e18 ? (long)seconds : long.MinValue;

    private static long Days(double seconds)
    {
        var whole = Whole(seconds);
        return (whole - FloorMod(whole, SecondsPerDay)) / SecondsPerDay;
    }

    private static long FloorMod(long value, long by) => ((value % by) + by) % by;

    private static (long Year, int Month, int Day) Civil(double seconds)
    {
        var z = Days(seconds) + 719_468;
        var era = (z - FloorMod(z, 146_097)) / 146_097;
        var dayOfEra = z - (era * 146_097);
        var yearOfEra = (dayOfEra - (dayOfEra / 1460) + (dayOfEra / 36_524) - (dayOfEra / 146_096)) / 365;
        var dayOfYear = dayOfEra - ((365 * yearOfEra) + (yearOfEra / 4) - (yearOfEra / 100));
        var shifted = ((5 * dayOfYear) + 2) / 153;
        var month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
        return (yearOfEra + (era * 400) + (month <= 2 ? 1 : 0), month, (int)(dayOfYear - (((153 * shifted) + 2) / 5) + 1));
    }

    private static long DaysFromCivil(long year, int month, int day)
    {
        var y = month <= 2 ? year - 1 : year;
        var era = (y - FloorMod(y, 400)) / 400;
        var yearOfEra = y - (era * 400);
        var dayOfYear = (((153 * (month > 2 ? month - 3 : month + 9)) + 2) / 5) + day - 1;
        return (era * 146_097) + (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear - 719_468;
    }
}
