using Metrics.Model;

namespace Metrics.PromQL.TestScripts;

/// <summary>The data of a script in memory, spread over shards by the series' hash, as a cluster would hold it.</summary>
/// <remarks>Loads and queries take turns; it is not for concurrent use.</remarks>
internal sealed class ScriptStorage
{
    private readonly ScriptShard[] shards;

    public ScriptStorage(int shardCount)
    {
        shards = new ScriptShard[shardCount];
        for (var i = 0; i < shardCount; i++)
        {
            shards[i] = new ScriptShard();
        }
    }

    /// <summary>One source per shard; their series are disjoint.</summary>
    public IReadOnlyList<ISeriesSource> Shards => shards;

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        foreach (var shard in shards)
        {
            shard.Series.Clear();
        }
    }

    /// <summary>Appends what a load command gives.</summary>
    /// <exception cref="ScriptException">A sample is out of order, or classic histograms are inconsistent.</exception>
    public void Load(LoadCommand load)
    {
        foreach (var series in load.Series)
        {
            Append(series, load.StepMs);
        }

        if (load.WithCustomBuckets)
        {
            foreach (var series in ClassicHistograms.ToCustomBuckets(load))
            {
                Append(series, load.StepMs);
            }
        }
    }

    private void Append(ScriptSeries series, long stepMs)
    {
        var shard = shards[(int)(series.Labels.Hash % (ulong)shards.Length)];
        if (!shard.Series.TryGetValue(series.Labels, out var stored))
        {
            stored = new StoredSeries(series.Labels);
            shard.Series.Add(series.Labels, stored);
        }

        for (var i = 0; i < series.Values.Count; i++)
        {
            if (series.Values[i].IsPresent)
            {
                var timeMs = i * stepMs;
                var startMs = series.StartOffsets?[i] is { } offset ? timeMs + offset : 0;
                stored.Append(timeMs, series.Values[i], startMs, series.Line);
            }
        }
    }
}

/// <summary>One shard of a <see cref="ScriptStorage"/>.</summary>
internal sealed class ScriptShard : ISeriesSource
{
    public Dictionary<Labels, StoredSeries> Series { get; } = [];

    public ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var found = Series.Values.Where(s => Matcher.AllMatch(selection.Matchers, s.Labels) && s.Overlaps(selection.Range)).ToArray();
        return new ValueTask<ISeriesSet>(new ScriptSeriesSet(found, selection.Range));
    }
}

/// <summary>The samples of one series, with the counter reset hints that chunks would give back.</summary>
internal sealed class StoredSeries(Labels labels)
{
    private readonly List<(long TimeMs, double Value, FloatHistogram? Histogram, long StartMs)> samples = [];
    private FloatHistogram? previous;

    public Labels Labels => labels;

    public bool Overlaps(TimeRange range) => samples.Count > 0 && new TimeRange(samples[0].TimeMs, samples[^1].TimeMs).Overlaps(range);

    public void Append(long timeMs, ScriptValue value, long startMs, int line)
    {
        if (samples.Count > 0 && samples[^1].TimeMs >= timeMs)
        {
            var last = samples[^1];
            var same = last.TimeMs == timeMs && value.Histogram is null && last.Histogram is null
                && BitConverter.DoubleToUInt64Bits(last.Value) == BitConverter.DoubleToUInt64Bits(value.Value);
            if (same)
            {
                return;
            }

            throw new ScriptException(line, $"{(last.TimeMs == timeMs ? "duplicate sample for timestamp" : "out of order sample")} {timeMs} in {labels}");
        }

        samples.Add((timeMs, value.Value, value.Histogram is { } histogram ? WithStoredHint(histogram) : null, startMs));
        previous = value.Histogram;
    }

    public void Read(TimeRange range, SampleBuffer into)
    {
        foreach (var (timeMs, value, histogram, startMs) in samples)
        {
            if (!range.Contains(timeMs))
            {
                continue;
            }

            if (histogram is null)
            {
                into.Add(timeMs, value);
            }
            else
            {
                into.Add(timeMs, histogram);
            }

            if (startMs != 0)
            {
                into.SetStartTime(startMs);
            }
        }
    }

    /// <summary>The first histogram of a chunk tells nothing, the later ones are no resets; a reset, or anything between, begins a chunk.</summary>
    private FloatHistogram WithStoredHint(FloatHistogram histogram)
    {
        var hint = histogram.CounterResetHint == CounterResetHint.Gauge ? CounterResetHint.Gauge
            : previous is null || BucketMap.BreaksChunk(previous, histogram) ? CounterResetHint.Unknown
            : CounterResetHint.NotReset;
        return histogram.WithHint(hint);
    }
}

/// <summary>What a selection found.</summary>
internal sealed class ScriptSeriesSet(StoredSeries[] series, TimeRange range) : ISeriesSet
{
    public int Count => series.Length;

    public Labels LabelsOf(int index) => series[index].Labels;

    public void Read(int index, SampleBuffer into) => series[index].Read(range, into);

    public void Dispose()
    {
        // Nothing is borrowed.
    }
}
