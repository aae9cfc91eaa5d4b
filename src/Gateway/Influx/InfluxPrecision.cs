namespace Metrics.Gateway.Influx;

/// <summary>The unit of the times in a request: its parameter <c>precision</c>, in the spelling of any version of InfluxDB.</summary>
/// <param name="UnitsPerMs">Units in a millisecond; 0 when a unit is longer than that.</param>
/// <param name="MsPerUnit">Milliseconds in a unit; 0 when it is shorter.</param>
internal readonly record struct InfluxPrecision(long UnitsPerMs, long MsPerUnit)
{
    /// <summary>What a request may say.</summary>
    public const string Allowed = "n, ns, u, us, ms, s, m or h";

    /// <summary>Reads the parameter; nanoseconds when it is missing.</summary>
    public static bool TryParse(string text, out InfluxPrecision precision)
    {
        precision = text switch
        {
            "" or "n" or "ns" => new InfluxPrecision(1_000_000, 0),
            "u" or "us" or "\u00b5" => new InfluxPrecision(1000, 0),
            "ms" => new InfluxPrecision(1, 0),
            "s" => new InfluxPrecision(0, 1000),
            "m" => new InfluxPrecision(0, 60_000),
            "h" => new InfluxPrecision(0, 3_600_000),
            _ => default,
        };
        return precision != default;
    }

    /// <summary>The time as Unix milliseconds, rounded down; false when there is no such time.</summary>
    public bool TryToMs(long time, out long timeMs)
    {
        if (MsPerUnit == 0)
        {
            timeMs = time / UnitsPerMs;
            timeMs -= time % UnitsPerMs < 0 ? 1 : 0;
            return true;
        }

        timeMs = unchecked(time * MsPerUnit);
        return Math.BigMul(time, MsPerUnit) == timeMs;
    }
}
