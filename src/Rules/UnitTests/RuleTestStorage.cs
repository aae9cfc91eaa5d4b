using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.TestScripts;

namespace Metrics.Rules.UnitTests;

/// <summary>Series in memory for unit tests of rules: input series appear as time goes on, results of rules are appended.</summary>
/// <remarks>Appends and reads may come from several rules at once.</remarks>
internal sealed class RuleTestStorage(IReadOnlyList<ScriptSeries> input, long stepMs, long startMs) : ISeriesSource, IRuleAppender
{
    private readonly Lock sync = new();
    private readonly Dictionary<Labels, List<RuleWrite>> series = [];
    private readonly int[] next = new int[input.Count];

    /// <summary>Makes the input visible up to a time, inclusive.</summary>
    public void AdvanceTo(long timeMs)
    {
        for (var i = 0; i < next.Length; i++)
        {
            for (; next[i] < input[i].Values.Count && startMs + (next[i] * stepMs) <= timeMs; next[i]++)
            {
                var value = input[i].Values[next[i]];
                if (value.IsPresent)
                {
                    TryAppend(new RuleWrite(input[i].Labels, startMs + (next[i] * stepMs), value.Value, value.Histogram), out _);
                }
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask<RuleAppendResult> AppendAsync(IReadOnlyList<RuleWrite> samples, CancellationToken cancellation)
    {
        var rejected = new List<int>();
        string? reason = null;
        for (var i = 0; i < samples.Count; i++)
        {
            if (!TryAppend(samples[i], out var why))
            {
                rejected.Add(i);
                reason ??= why;
            }
        }

        return new(rejected.Count == 0 ? RuleAppendResult.Done : new RuleAppendResult(rejected, reason));
    }

    /// <inheritdoc/>
    public ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation)
    {
        lock (sync)
        {
            var found = new List<(Labels Labels, RuleWrite[] Samples)>();
            foreach (var (labels, samples) in series)
            {
                if (Matcher.AllMatch(selection.Matchers, labels))
                {
                    RuleWrite[] within = [.. samples.Where(s => selection.Range.Contains(s.TimeMs))];
                    if (within.Length > 0)
                    {
                        found.Add((labels, within));
                    }
                }
            }

            return new(new Found(found));
        }
    }

    private bool TryAppend(RuleWrite sample, out string? why)
    {
        lock (sync)
        {
            if (!series.TryGetValue(sample.Labels, out var samples))
            {
                series.Add(sample.Labels, samples = []);
            }

            why = null;
            if (samples.Count == 0 || samples[^1].TimeMs < sample.TimeMs)
            {
                samples.Add(sample);
                return true;
            }

            var last = samples[^1];
            var isSame = last.TimeMs == sample.TimeMs && sample.Histogram is null && last.Histogram is null
                && BitConverter.DoubleToUInt64Bits(last.Value) == BitConverter.DoubleToUInt64Bits(sample.Value);
            why = isSame ? null : last.TimeMs == sample.TimeMs ? "duplicate sample for timestamp" : "out of order sample";
            return isSame;
        }
    }

    private sealed class Found(List<(Labels Labels, RuleWrite[] Samples)> found) : ISeriesSet
    {
        public int Count => found.Count;

        public Labels LabelsOf(int index) => found[index].Labels;

        public void Read(int index, SampleBuffer into)
        {
            foreach (var sample in found[index].Samples)
            {
                if (sample.Histogram is null)
                {
                    into.Add(sample.TimeMs, sample.Value);
                }
                else
                {
                    into.Add(sample.TimeMs, sample.Histogram);
                }
            }
        }

        public void Dispose()
        {
            // Nothing is borrowed.
        }
    }
}
