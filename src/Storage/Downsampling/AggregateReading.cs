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
            counts.Clear();
            switch (aggregate)
            {
                case Aggregate.Counter:
                    AggregateChunk.Decode(data, Aggregate.Counter, TimeRange.All, own);
                    counter.Add(own, range, into);
                    break;
                case Aggregate.Average:
                    AggregateChunk.Decode(data, Aggregate.Sum, range, own);
                    AggregateChunk.Decode(data, Aggregate.Count, range, counts);
                    AddAverages(own, counts, into);
                    break;
                default:
                    AggregateChunk.Decode(data, aggregate, range, into);
                    break;
            }

            into.NoteEncoded(own.EncodedBytes + counts.EncodedBytes, own.EncodedChunks + counts.EncodedChunks);
        }

        counter.Finish(into);
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

    /// <summary>Joins the counters of chunks into one that is never reset. Histograms go by as they are: their chunks end where they are reset, which who reads them finds by comparing.</summary>
    /// <remarks>As thanos-io/thanos, pkg/compact/downsample, ApplyCounterResetsSeriesIterator.</remarks>
    private sealed class CounterJoin
    {
        private long lastMs = long.MinValue;
        private double total;
        private double last;
        private bool endsInFloat;

        public void Add(SampleBuffer chunk, TimeRange range, SampleBuffer into)
        {
            for (var i = 0; i < chunk.Count; i++)
            {
                var time = chunk.Times[i];
                if (chunk.HasHistograms && chunk.Histograms[i] is { } histogram)
                {
                    AddHistogram(time, histogram, range, into);
                }
                else if (!double.IsNaN(chunk.Values[i]))
                {
                    AddFloat(time, chunk.Values[i], range, into);
                }
            }
        }

        /// <summary>Tells the buffer the raw value of the last sample, if it has it, for what is read after to be compared with.</summary>
        public void Finish(SampleBuffer into)
        {
            if (endsInFloat && into.Count > 0 && into.Times[^1] == lastMs)
            {
                into.RawCounterAtEnd = last;
            }
        }

        private void AddHistogram(long time, FloatHistogram histogram, TimeRange range, SampleBuffer into)
        {
            if (time <= lastMs)
            {
                return;
            }

            (lastMs, endsInFloat) = (time, false);
            if (range.Contains(time))
            {
                into.Add(time, histogram.WithHint(CounterResetHint.Unknown));
            }
        }

        private void AddFloat(long time, double value, TimeRange range, SampleBuffer into)
        {
            if (time == lastMs && endsInFloat)
            {
                // A sample at the time of the one before tells the raw value there, for the next chunk to be compared with.
                last = value;
            }
            else if (time > lastMs)
            {
                total = !endsInFloat ? value : total + (value < last ? value : value - last);
                (last, lastMs, endsInFloat) = (value, time, true);
                if (range.Contains(time))
                {
                    into.Add(time, total);
                }
            }
        }
    }
}
