namespace Metrics.PromQL;

/// <summary>An operator of a query's plan, and those that it reads.</summary>
/// <param name="Name">Its kind in brackets and what it does, e.g. <c>[aggregate] sum by (job)</c>.</param>
/// <param name="Children">What it reads, in the order of the query. An operator below <c>[shards]</c> stands for those of all shards.</param>
public sealed record PlanOutline(string Name, IReadOnlyList<PlanOutline> Children);

/// <summary>What an operator took, and those that it read.</summary>
/// <param name="Name">As in <see cref="PlanOutline"/>.</param>
/// <param name="Time">Time in it and below it. Below <c>[shards]</c> the sum over shards and threads, which may be more than the time that passed.</param>
/// <param name="Series">Series that it gave, over all shards; 0 for a scalar.</param>
/// <param name="Samples">Stored samples looked at in it and below it: those of the children together, and of the root those of <see cref="QueryStatistics.TotalQueryableSamples"/>.</param>
/// <param name="PeakSamples">The most samples held at once, where that is known: by the whole query, and by shards.</param>
/// <param name="Children">What it read, in the order of the query.</param>
public sealed record OperatorReport(string Name, TimeSpan Time, long Series, long Samples, long PeakSamples, IReadOnlyList<OperatorReport> Children);
