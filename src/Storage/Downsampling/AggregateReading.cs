using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Which aggregate stands for the samples under a function, and which resolution it can bear.</summary>
public static class AggregateReading
{
    /// <summary>The aggregate for a function, as Thanos chooses; null for none named.</summary>
    public static Aggregate For(string? function) => function switch
    {
        "min" or "min_over_time" => Aggregate.Min,
        "max" or "max_over_time" => Aggregate.Max,
        "sum_over_time" => Aggregate.Sum,
        "count_over_time" => Aggregate.Count,
        "rate" or "increase" or "irate" or "resets" => Aggregate.Counter,
        _ => Aggregate.Average,
    };

    /// <summary>The coarsest resolution that gives a function what it needs in a window: two points at least, and for functions that look at each sample, every sample.</summary>
    public static long CoarsestMs(string? function, long windowMs, long allowedMs) => function switch
    {
        // What these say of aggregates is not what they say of the samples.
        "count_over_time" or "quantile_over_time" or "stddev_over_time" or "stdvar_over_time" or "mad_over_time" or "changes" or "resets" or "idelta" or "irate" or "first_over_time"
            or "ts_of_first_over_time" or "ts_of_last_over_time" or "ts_of_min_over_time" or "ts_of_max_over_time" or "timestamp" => 0,
        _ => Math.Min(allowedMs, windowMs / 2),
    };

    /// <summary>Appends the samples that an aggregate makes of a run of chunks, ascending in time.</summary>
    /// <exception cref="InvalidDataException">A chunk is damaged.</exception>
    internal static void Read(BlockReader block, ReadOnlySpan<ChunkMeta> chunks, Aggregate aggregate, TimeRange range, SampleBuffer into)
    {
        using var own = new SampleBuffer();
        using var counts = new SampleBuffer();
        var counter = new CounterJoin();
        foreach (var chunk in chunks)
        {
            var data = block.ReadChunk(chunk, out var encoding);
            if (encoding != AggregateChunk.Encoding)
            {
                block.Decode(chunk, range, into);
                continue;
            }

            own.Clear();
            switch (aggregate)
            {
                case Aggregate.Counter:
                    AggregateChunk.Decode(data, Aggregate.Counter, TimeRange.All, own);
                    counter.Add(own, range, into);
                    break;
                case Aggregate.Average:
                    counts.Clear();
                    AggregateChunk.Decode(data, Aggregate.Sum, range, own);
                    AggregateChunk.Decode(data, Aggregate.Count, range, counts);
                    AddAverages(own, counts, into);
                    break;
                default:
                    AggregateChunk.Decode(data, aggregate, range, into);
                    break;
            }
        }
    }

    private static void AddAverages(SampleBuffer sums, SampleBuffer counts, SampleBuffer into)
    {
        for (var i = 0; i < sums.Count && i < counts.Count; i++)
        {
            if (sums.HasHistograms && sums.Histograms[i] is { } histogram)
            {
                into.Add(sums.Times[i], histogram.Copy().Divide(counts.Values[i]));
            }
            else
            {
                into.Add(sums.Times[i], sums.Values[i] / counts.Values[i]);
            }
        }
    }

    /// <summary>Joins the counters of chunks into one that is never reset.</summary>
    private sealed class CounterJoin
    {
        private long lastMs = long.MinValue;
        private double total;
        private double last;
        private FloatHistogram? totalHistogram;
        private FloatHistogram? lastHistogram;

        public void Add(SampleBuffer chunk, TimeRange range, SampleBuffer into)
        {
            for (var i = 0; i < chunk.Count; i++)
            {
                var time = chunk.Times[i];
                if (chunk.HasHistograms && chunk.Histograms[i] is { } histogram)
                {
                    if (time > lastMs)
                    {
                        totalHistogram = totalHistogram is null ? histogram.Copy()
                            : (histogram.WithHint(CounterResetHint.Unknown) is var plain && plain.DetectReset(lastHistogram!) ? totalHistogram.Copy().Add(plain) : totalHistogram.Copy().Add(plain.Copy().Subtract(lastHistogram!)))
                            .WithHint(CounterResetHint.Unknown);
                        Emit(time, range, into, totalHistogram);
                    }

                    lastHistogram = histogram.WithHint(CounterResetHint.Unknown);
                    lastMs = Math.Max(lastMs, time);
                    continue;
                }

                var value = chunk.Values[i];
                if (time > lastMs)
                {
                    total = lastMs == long.MinValue ? value : total + (value < last ? value : value - last);
                    if (range.Contains(time))
                    {
                        into.Add(time, total);
                    }
                }

                // A sample at the time of the one before tells the raw value there, for the next chunk to be compared with.
                last = value;
                lastMs = Math.Max(lastMs, time);
            }
        }

        private static void Emit(long time, TimeRange range, SampleBuffer into, FloatHistogram histogram)
        {
            if (range.Contains(time))
            {
                into.Add(time, histogram);
            }
        }
    }
}
