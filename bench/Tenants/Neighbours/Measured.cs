using System.Globalization;
using Metrics.SideBySide;

namespace Metrics.TenantBench;

/// <summary>What phases of one kind have shown, together.</summary>
internal sealed class Measured
{
    private readonly List<double> writes = [];
    private readonly List<double> queries = [];
    private double seconds;
    private double cpuSeconds;
    private double collectingSeconds;
    private double residentMib;

    /// <summary>Adds a phase.</summary>
    /// <param name="writesMs">How long each write took.</param>
    /// <param name="queriesMs">How long each query took.</param>
    /// <param name="length">How long it was.</param>
    /// <param name="cpu">Seconds of processors that the server used.</param>
    /// <param name="collecting">Seconds that it stood still for garbage collection.</param>
    /// <param name="resident">Its memory at the end, MiB.</param>
    public void Add(IEnumerable<double> writesMs, IEnumerable<double> queriesMs, TimeSpan length, double cpu, double collecting, double resident)
    {
        writes.AddRange(writesMs);
        queries.AddRange(queriesMs);
        seconds += length.TotalSeconds;
        cpuSeconds += cpu;
        collectingSeconds += collecting;
        residentMib = Math.Max(residentMib, resident);
    }

    /// <summary>Whether the p99 of both writes and queries is below so many times that alone.</summary>
    public bool IsBelow(double times, Measured alone) => At(writes, 0.99) < times * At(alone.writes, 0.99) && At(queries, 0.99) < times * At(alone.queries, 0.99);

    /// <summary>A row of the table.</summary>
    public string Row(string kind, Measured alone) => string.Create(
        CultureInfo.InvariantCulture,
        $"| {kind} ({writes.Count} writes, {queries.Count} queries) | {At(writes, 0.5):F1} | {At(writes, 0.99):F1} | {At(queries, 0.5):F1} | {At(queries, 0.99):F1} | {Ratios(writes, alone.writes)} | {Ratios(queries, alone.queries)} | {cpuSeconds / seconds:F2} | {100 * collectingSeconds / seconds:F1} | {residentMib:F0} |");

    private static double At(List<double> times, double rank) => Statistics.Quantile(times, rank);

    private static string Ratios(List<double> now, List<double> alone) => string.Create(CultureInfo.InvariantCulture, $"{At(now, 0.5) / At(alone, 0.5):F2}, {At(now, 0.99) / At(alone, 0.99):F2}");
}
