namespace Metrics.PromQL.Analysis;

/// <summary>What an operator took, over all threads that ran it. Thread-safe.</summary>
internal sealed class OperatorMeter
{
    private long ticks;
    private long series;
    private long samples;

    /// <summary>Time in it and below it, <see cref="TimeSpan"/> ticks.</summary>
    public long Ticks => Interlocked.Read(ref ticks);

    /// <summary>Series that it gave.</summary>
    public long Series => Interlocked.Read(ref series);

    /// <summary>Stored samples that it looked at itself, as <see cref="QueryStatistics.TotalQueryableSamples"/> counts them.</summary>
    public long Samples => Interlocked.Read(ref samples);

    /// <summary>Notes time.</summary>
    public void AddTime(TimeSpan took) => Interlocked.Add(ref ticks, took.Ticks);

    /// <summary>Notes series.</summary>
    public void AddSeries(long count) => Interlocked.Add(ref series, count);

    /// <summary>Notes samples.</summary>
    public void AddSamples(long looked) => Interlocked.Add(ref samples, looked);
}
