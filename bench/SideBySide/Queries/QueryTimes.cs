namespace Metrics.SideBySide;

/// <summary>How long one query took in one run: the first time, and the median of the times after; NaN with the error when it failed.</summary>
internal sealed record QueryTime(double ColdMs, double MedianMs, string? Error);

/// <summary>Times of all queries of all runs, by suite, server and query.</summary>
internal sealed class QueryTimes
{
    private readonly Dictionary<(string Server, Query Query), List<QueryTime>> times = [];

    /// <summary>The suites, by name.</summary>
    public static IReadOnlyList<(string Name, IReadOnlyList<Query> Queries)> Suites { get; } = [("dashboard", DashboardSuite.Queries), ("heavy", HeavySuite.Queries)];

    public void Add(string server, Query query, QueryTime time)
    {
        if (!times.TryGetValue((server, query), out var list))
        {
            times[(server, query)] = list = [];
        }

        list.Add(time);
        Console.Error.WriteLine(FormattableString.Invariant($"query\t{server}\t{query}\t{time.ColdMs:F3}\t{time.MedianMs:F3}\t{time.Error}"));
    }

    /// <summary>The median of p50 over the runs; NaN when it never succeeded.</summary>
    public double MedianMs(string server, Query query) => Median(server, query, t => t.MedianMs);

    /// <summary>The median of first times over the runs; NaN when it never succeeded.</summary>
    public double ColdMs(string server, Query query) => Median(server, query, t => t.ColdMs);

    /// <summary>Why a query failed on a server; null when it did not.</summary>
    public string? Error(string server, Query query) => times.TryGetValue((server, query), out var list) ? list.Select(t => t.Error).FirstOrDefault(e => e is not null) : null;

    private double Median(string server, Query query, Func<QueryTime, double> of) =>
        times.TryGetValue((server, query), out var list) ? Statistics.Quantile(list.Where(t => t.Error is null).Select(of), 0.5) : double.NaN;
}
