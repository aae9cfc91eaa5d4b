using Metrics.Model;
using Metrics.Rules;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Rules;

/// <summary>Collects what a backfill writes and makes Prometheus blocks of it, one for each chunk of time.</summary>
internal sealed class BackfillBlocks(string directory, TimeProvider time) : IRuleAppender
{
    // As Prometheus and we cut chunks.
    private const int SamplesPerChunk = 120;

    private readonly Random random = new(unchecked((int)time.GetUtcNow().Ticks));
    private readonly SortedDictionary<Labels, SampleBuffer> collected = [];

    /// <inheritdoc/>
    public ValueTask<RuleAppendResult> AppendAsync(IReadOnlyList<RuleWrite> samples, CancellationToken cancellation)
    {
        var rejected = new List<int>();
        for (var i = 0; i < samples.Count; i++)
        {
            var sample = samples[i];
            if (!collected.TryGetValue(sample.Labels, out var series))
            {
                collected.Add(sample.Labels, series = new SampleBuffer());
            }

            if (series.Count > 0 && series.Times[^1] >= sample.TimeMs)
            {
                rejected.Add(i);
            }
            else
            {
                series.Add(sample.TimeMs, sample.Value);
            }
        }

        return new(rejected.Count == 0 ? RuleAppendResult.Done : new RuleAppendResult(rejected, "two rules write the same series"));
    }

    /// <summary>Writes a block of what was collected, and forgets it; null when that is nothing.</summary>
    public Ulid? Flush()
    {
        if (collected.Count == 0)
        {
            return null;
        }

        using var writer = new BlockWriter(directory, Ulid.New(time, random));
        var buffer = new byte[XorChunk.MaxBytes(SamplesPerChunk)];
        foreach (var (labels, samples) in collected)
        {
            writer.BeginSeries(labels.Encoded);
            for (var at = 0; at < samples.Count; at += SamplesPerChunk)
            {
                var count = Math.Min(SamplesPerChunk, samples.Count - at);
                var times = samples.Times.Slice(at, count);
                var length = XorChunk.Encode(times, samples.Values.Slice(at, count), buffer);
                writer.AddChunk(ChunkEncoding.Xor, times[0], times[^1], buffer.AsSpan(0, length));
            }

            samples.Dispose();
        }

        collected.Clear();
        return writer.Finish().Ulid;
    }
}
