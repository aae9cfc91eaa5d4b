namespace Metrics.Gateway.Telemetry;

/// <summary>Where a family puts its samples; how they are written is the format's.</summary>
internal abstract class SampleSink
{
    /// <summary>Begins a family.</summary>
    public abstract void Begin(MetricFamily family);

    /// <summary>Adds a sample of a counter or gauge; labels are pairs of name and value.</summary>
    public abstract void Put(string suffix, ReadOnlySpan<(string Name, string Value)> labels, double value);

    /// <summary>Adds a histogram of one label value.</summary>
    public abstract void Put((string Name, string Value) label, HistogramSnapshot histogram);

    /// <summary>Ends the family.</summary>
    public abstract void End();

    /// <summary>Ends the exposition.</summary>
    public virtual void Complete()
    {
        // Most formats end where they end.
    }
}

/// <summary>A histogram as it was at one moment.</summary>
/// <param name="Bounds">The upper bounds of the classic buckets, ascending, without infinity.</param>
/// <param name="Counts">Observations in each, not cumulated; one more than bounds.</param>
/// <param name="Exemplars">An observation in each bucket, where there is one.</param>
/// <param name="Sum">Of all observations.</param>
/// <param name="Native">The same observations in exponential buckets.</param>
internal sealed record HistogramSnapshot(double[] Bounds, long[] Counts, ObservedExemplar?[] Exemplars, double Sum, NativeBuckets Native);

/// <summary>An observation that a trace tells more about.</summary>
/// <param name="TraceId">The trace, in hex.</param>
/// <param name="SpanId">The span in it, in hex.</param>
/// <param name="Value">What was observed.</param>
/// <param name="AtMs">When, Unix milliseconds.</param>
internal sealed record ObservedExemplar(string TraceId, string SpanId, double Value, long AtMs);
