using System.Globalization;

namespace Metrics.TenantBench;

/// <summary>Minutes of a figure, and whether it grows: the median of the last third is more than a share and more than an amount above that of the first third.</summary>
internal sealed class Trend(string name, double share, double amount)
{
    private const int MinutesMin = 9;

    private readonly List<double> settled = [];

    /// <summary>Takes a minute's figure; only settled ones are judged.</summary>
    public void Add(double value, bool isSettled)
    {
        if (isSettled)
        {
            settled.Add(value);
        }
    }

    /// <summary>True when it grows; false also when there are too few minutes to tell.</summary>
    public bool IsGrowing => settled.Count >= MinutesMin && Last - First > amount && Last > First * (1 + share);

    private double First => Middle(settled.Take(settled.Count / 3));

    private double Last => Middle(settled.Skip(settled.Count - (settled.Count / 3)));

    public override string ToString() => settled.Count < MinutesMin ? $"{name}: too few settled minutes to tell"
        : string.Create(CultureInfo.InvariantCulture, $"{name}: first third {First:F0}, last third {Last:F0}{(IsGrowing ? ", grows" : "")}");

    private static double Middle(IEnumerable<double> values) => SideBySide.Statistics.Quantile(values, 0.5);
}
