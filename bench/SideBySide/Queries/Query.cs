namespace Metrics.SideBySide;

/// <summary>A query as a panel asks it: at one time when <see cref="Range"/> is zero, else over that much time up to it.</summary>
internal sealed record Query(string Expression, TimeSpan Range, TimeSpan Step)
{
    public static Query Instant(string expression) => new(expression, TimeSpan.Zero, TimeSpan.Zero);

    public static Query Hour(string expression, int stepSeconds) => new(expression, TimeSpan.FromHours(1), TimeSpan.FromSeconds(stepSeconds));

    /// <summary>The address to ask. The last step is at <paramref name="endMs"/>, which should be a multiple of every step, and VictoriaMetrics is told not to answer from its cache.</summary>
    public string Path(long endMs) => Range == TimeSpan.Zero
        ? $"api/v1/query?query={Uri.EscapeDataString(Expression)}&time={endMs / 1000}&nocache=1"
        : $"api/v1/query_range?query={Uri.EscapeDataString(Expression)}&start={(endMs / 1000) - (long)Range.TotalSeconds}&end={endMs / 1000}&step={(long)Step.TotalSeconds}&nocache=1";

    /// <summary>The query and how it is asked; the middle of a long one is left out.</summary>
    public override string ToString()
    {
        var text = Expression.Length <= 200 ? Expression : $"{Expression[..100]} ... {Expression[^60..]}";
        return Range == TimeSpan.Zero ? $"{text} (instant)" : $"{text} (1h/{Step.TotalSeconds}s)";
    }
}
