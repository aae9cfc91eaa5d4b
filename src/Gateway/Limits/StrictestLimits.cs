using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Limits;

/// <summary>Puts the limits of two tenants together, for a read that crosses them: of each limit the smaller, where there is one.</summary>
internal static class StrictestLimits
{
    /// <summary>The strictest of each.</summary>
    public static TenantLimits Of(TenantLimits one, TenantLimits other)
    {
        var both = one.Copy();
        foreach (var setting in SettingCatalog.In("limits"))
        {
            var (mine, theirs) = (Size(setting.ValueIn(one)), Size(setting.ValueIn(other)));
            if (theirs != 0 && (mine == 0 || theirs < mine))
            {
                setting.SetIn(both, [setting.ShowIn(other)], setting.Key);
            }
        }

        both.BlockedQueries = [.. one.BlockedQueries, .. other.BlockedQueries.Except(one.BlockedQueries)];
        return both;
    }

    private static double Size(object? value) => value switch
    {
        TimeSpan duration => duration.TotalMilliseconds,
        ByteSize size => size.Bytes,
        long number => number,
        int number => number,
        _ => 0, // What is no number limits nothing.
    };
}
